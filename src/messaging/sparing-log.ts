import type { Logger } from 'pino';

/** For lines that others can cause as often as they like. */
export interface SparingLog {
  /**
   * Says it at once the first time, and then, while it goes on, once in an interval: the last one, and how many there were.
   * @param kind what counts as the same; one of a few, never something that others make up
   */
  tell(kind: string, about: object, text: string, level?: 'warn' | 'error'): void;
  /**
   * Says that what these kinds were about is over, behind what was left out of them. At once, unless it is what was left out
   * that is over: then both come at the end of the interval, and neither line becomes more frequent than that.
   */
  over(kinds: readonly string[], about: object, text: string): void;
  /** Says what was left out until now. */
  stop(): void;
}

interface Kind {
  timer: NodeJS.Timeout;
  /** since the last line */
  count: number;
  /** among all that was told, when the last one came */
  order: number;
  last: () => void;
  /** there is a line about it, and none since that it is over */
  isOpen: boolean;
  over: Over | undefined;
}

/** One all-clear that waits. */
interface Over {
  kinds: readonly Kind[];
  tell: () => void;
}

const TELL_EVERY_MS = 60_000;

export function createSparingLog(log: Logger, everyMs = TELL_EVERY_MS): SparingLog {
  const kinds = new Map<string, Kind>();
  let order = 0;

  const tellLast = (some: Iterable<Kind>) => {
    for (const kind of [...some].sort((a, b) => a.order - b.order)) {
      if (kind.count === 0) continue;
      kind.last();
      kind.count = 0;
      kind.isOpen = true;
    }
  };

  const close = ({ kinds: closed, tell }: Over) => {
    tellLast(closed);
    tell();
    for (const kind of closed) {
      kind.isOpen = false;
      kind.over = undefined;
    }
  };

  const endInterval = (name: string, kind: Kind) => {
    if (kind.over !== undefined) return close(kind.over);
    if (kind.count > 0) return tellLast([kind]);
    clearInterval(kind.timer);
    kinds.delete(name);
  };

  return {
    tell(name, about, text, level = 'warn') {
      const known = kinds.get(name);
      if (known !== undefined) {
        const count = ++known.count;
        const seconds = Math.round(everyMs / 1000);
        known.order = ++order;
        known.last = () =>
          log[level](
            { ...about, count },
            `${text} This is the last of ${count} like it within ${seconds} s.`,
          );
        for (const kind of known.over?.kinds ?? []) kind.over = undefined;
        return;
      }
      log[level](about, text);
      const timer = setInterval(() => endInterval(name, kind), everyMs);
      timer.unref();
      const kind: Kind = {
        timer,
        count: 0,
        order: ++order,
        last: () => undefined,
        isOpen: true,
        over: undefined,
      };
      kinds.set(name, kind);
    },
    over(names, about, text) {
      const own = names.flatMap((name) => kinds.get(name) ?? []);
      const over: Over = { kinds: own, tell: () => log.info(about, text) };
      if (own.length === 0 || own.some(({ isOpen }) => isOpen)) return close(over);
      for (const kind of own) kind.over = over;
    },
    stop() {
      tellLast(kinds.values());
      for (const over of new Set([...kinds.values()].flatMap((kind) => kind.over ?? []))) over.tell();
      for (const { timer } of kinds.values()) clearInterval(timer);
      kinds.clear();
    },
  };
}
