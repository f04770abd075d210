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

const PLACE = /^([0-9a-f]{12})-([1-9][0-9]{0,14})\.(0|[1-9][0-9]{0,8})$/;

/** What a place looks like to people. */
export const PLACE_FORM = 'the id of an event, such as 7f3a9c1e04d2-1041.0';

/** `<run>-<group>.<events>` */
export function placeText(run: string, group: number, events: number): string {
  return `${run}-${group}.${events}`;
}

/** Undefined: it is no place. */
export function parsePlace(text: string): Place | undefined {
  const match = PLACE.exec(text);
  return match === null ? undefined : { run: match[1]!, group: Number(match[2]), events: Number(match[3]) };
}

/** The place behind one event of a group: behind the last one it is where the next group begins. */
export function placeBehind(run: string, group: number, index: number, count: number): string {
  return index + 1 < count ? placeText(run, group, index + 1) : placeText(run, group + 1, 0);
}
