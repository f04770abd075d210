/** What pages of this console in one browser say to each other. */
type Message =
  /** a window came back from the auth server with these parameters, for the page that began it */
  | { kind: 'arrived'; state: string; parameters: string }
  | { kind: 'taken'; state: string }
  /** signed out there, at this issuer */
  | { kind: 'left'; issuer: string };

export interface Handover {
  /** Whether a page took it that had begun it. */
  offer(parameters: URLSearchParams): Promise<boolean>;
  /** Waits for a window that was opened; the answered function gives it up. */
  expect(state: string, take: (parameters: URLSearchParams) => void): () => void;
  sayLeft(issuer: string): void;
  onLeft(callback: (issuer: string) => void): void;
}

const ANSWER_LIMIT_MS = 1500;

/** Only pages of the same origin hear each other. @param place path of the console: there may be several on one host */
export function createHandover(place: string): Handover {
  const channel = new BroadcastChannel(`epr-console ${place}`);
  const listeners = new Set<(message: Message) => void>();
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    for (const listener of [...listeners]) listener(data);
  };
  const say = (message: Message): void => channel.postMessage(message);
  return {
    offer(parameters) {
      const state = parameters.get('state') ?? '';
      return new Promise((resolve) => {
        const settle = (taken: boolean): void => {
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(taken);
        };
        const timer = setTimeout(() => settle(false), ANSWER_LIMIT_MS);
        const listener = (message: Message): void => {
          if (message.kind === 'taken' && message.state === state) settle(true);
        };
        listeners.add(listener);
        say({ kind: 'arrived', state, parameters: parameters.toString() });
      });
    },
    expect(state, take) {
      const listener = (message: Message): void => {
        if (message.kind !== 'arrived' || message.state !== state) return;
        listeners.delete(listener);
        say({ kind: 'taken', state });
        take(new URLSearchParams(message.parameters));
      };
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    sayLeft: (issuer) => say({ kind: 'left', issuer }),
    onLeft(callback) {
      listeners.add((message) => {
        if (message.kind === 'left') callback(message.issuer);
      });
    },
  };
}
