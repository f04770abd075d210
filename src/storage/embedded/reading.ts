/** How much a read of the store looked at. */
export interface Reading {
  /** records that were read */
  records: number;
  /** entries of lists and indexes that were read one by one */
  entries: number;
  /** entries that were only counted, at a small part of what reading one costs */
  counted: number;
  /** what it went along, each once */
  by: string[];
}

export function noReading(): Reading {
  return { records: 0, entries: 0, counted: 0, by: [] };
}

export function noteWays({ by }: Reading, ways: readonly string[]): void {
  for (const way of ways) if (!by.includes(way)) by.push(way);
}
