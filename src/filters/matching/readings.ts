import { compareStrings } from '../values.js';
import { type DocumentState, Yield } from './document-state.js';

/** The greatest number; less than any when there is none. */
export function greatestOf(state: DocumentState, placeId: number): number {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.greatest;
  const number = state.number[placeId]!;
  return Number.isNaN(number) ? -Infinity : number;
}

/** The least number; greater than any when there is none. */
export function leastOf(state: DocumentState, placeId: number): number {
  if (state.kind[placeId] === Yield.several) return state.several[placeId]!.least;
  const number = state.number[placeId]!;
  return Number.isNaN(number) ? Infinity : number;
}

export function textsOf(
  state: DocumentState,
  placeId: number,
): [least: string | undefined, greatest: string | undefined] {
  if (state.kind[placeId] === Yield.several) {
    const { leastText, greatestText } = state.several[placeId]!;
    return [leastText, greatestText];
  }
  const value = state.value[placeId];
  return typeof value === 'string' ? [value, value] : [undefined, undefined];
}

export function isBefore(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || (other !== undefined && compareStrings(one, other) < 0);
}
