/**
 * A place in the sequence of events, between two of them: what comes next is the event behind the first `events` of the
 * group `group`. `run` says in which numbering: it changes with each start of the service, and where events may be
 * missing.
 */
export interface Place {
  run: string;
  group: number;
  events: number;
}

/** The text of a place; the empty text is none. */
export const PLACE_PATTERN = '^(([0-9a-f]{12})-([1-9][0-9]{0,14})\\.(0|[1-9][0-9]{0,8}))?$';
export const PLACE_EXAMPLE = '7f3a9c1e04d2-1041.0';

const PLACE = new RegExp(PLACE_PATTERN);

/** `<run>-<group>.<events>` */
export function placeText(run: string, group: number, events: number): string {
  return `${run}-${group}.${events}`;
}

/** Undefined: it is no place; `''` is none either. */
export function parsePlace(text: string): Place | undefined {
  const match = PLACE.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { run: match[2]!, group: Number(match[3]), events: Number(match[4]) };
}

/** The place behind one event of a group: behind the last one it is where the next group begins. */
export function placeBehind(run: string, group: number, index: number, count: number): string {
  return index + 1 < count ? placeText(run, group, index + 1) : placeText(run, group + 1, 0);
}
