import type { Logger } from 'pino';

/** For lines that others can cause as often as they like. */
export interface SparingLog {
  /**
   * Says it at once the first time, and then, while it goes on, once in an interval: the last one, and how many there were.
   * @param kind what counts as the same; one of a few, never something that others make up
   */
  tell(kind: string, about: object, text: string, level?: 'warn' | 'error'): void;
  /** Says what was left out until now. */
  stop(): void;
}

interface Kind {
  timer: NodeJS.Timeout;
  /** since the last line */
  count: number;
  last: () => void;
}

const TELL_EVERY_MS = 60_000;

export function createSparingLog(log: Logger, everyMs = TELL_EVERY_MS): SparingLog {
  const kinds = new Map<string, Kind>();

  const tellLast = (name: string, kind: Kind) => {
    if (kind.count === 0) {
      clearInterval(kind.timer);
      kinds.delete(name);
      return;
    }
    kind.last();
    kind.count = 0;
  };

  return {
    tell(name, about, text, level = 'warn') {
      const known = kinds.get(name);
      if (known !== undefined) {
        const count = ++known.count;
        const seconds = Math.round(everyMs / 1000);
        known.last = () =>
          log[level](
            { ...about, count },
            `${text} This is the last of ${count} like it within ${seconds} s.`,
          );
        return;
      }
      log[level](about, text);
      const timer = setInterval(() => tellLast(name, kind), everyMs);
      timer.unref();
      const kind: Kind = { timer, count: 0, last: () => undefined };
      kinds.set(name, kind);
    },
    stop() {
      for (const kind of kinds.values()) {
        clearInterval(kind.timer);
        if (kind.count > 0) kind.last();
      }
      kinds.clear();
    },
  };
}
