/** Numbers that wait, by their order. They mostly come in it, and mostly go in it. */
export interface PendingNumbers {
  add(number: number): void;
  /** The least that waits still. O(1), but for those that went since it was asked last. */
  least(): number | undefined;
  /** The greatest that waits still. O(1), as {@link PendingNumbers.least}. */
  greatest(): number | undefined;
  /** Those that wait still, ascending. O(numbers). */
  upTo(most: number): number[];
}

/** Those that went are forgotten when there are so many of them. */
const FORGET_FROM = 1024;

/** @param waits whether a number that was added waits still; one that once did not never does again */
export function createPendingNumbers(waits: (number: number) => boolean): PendingNumbers {
  let numbers: number[] = [];
  /** those before have gone */
  let first = 0;
  let isSorted = true;

  function forget(): void {
    if (!isSorted) {
      numbers = numbers.slice(first).sort((a, b) => a - b);
      first = 0;
      isSorted = true;
    }
    while (first < numbers.length && !waits(numbers[first]!)) first++;
    if (first < FORGET_FROM || first * 2 < numbers.length) return;
    numbers = numbers.slice(first);
    first = 0;
  }

  return {
    add(number) {
      if (numbers.length > 0 && number < numbers.at(-1)!) isSorted = false;
      numbers.push(number);
    },
    least() {
      forget();
      return numbers[first];
    },
    greatest() {
      forget();
      while (numbers.length > first && !waits(numbers.at(-1)!)) numbers.pop();
      return numbers.length > first ? numbers.at(-1) : undefined;
    },
    upTo(most) {
      forget();
      const found: number[] = [];
      for (let i = first; i < numbers.length && numbers[i]! <= most; i++)
        if (numbers[i] !== found.at(-1) && waits(numbers[i]!)) found.push(numbers[i]!);
      return found;
    },
  };
}
