/** A value that the service makes (an id, a date, an ETag): unknown until it is seen, and the same ever after. */
export class Made {
  /** @param among values of one such name differ from each other */
  constructor(
    readonly form: RegExp,
    readonly among?: string,
  ) {}
}

export const madeDate = (): Made => new Made(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
export const madeTag = (source: string): Made => new Made(/^"[\x21\x23-\x7e]+"$/, source);

/** Stands in an expected body for what is not looked at. */
export const ANYTHING = Symbol('anything');

/** The same, and it need not be there. */
export const OPTIONAL = Symbol('optional');

/** Stands in an expected body for a list whose order is not promised. */
export class AnyOrder {
  constructor(readonly items: readonly string[]) {}
}

/** What was seen of the values that the service makes. */
export class MadeValues {
  constructor(
    private readonly values = new Map<Made, string>(),
    private readonly owners = new Map<string, Made>(),
  ) {}

  copy(): MadeValues {
    return new MadeValues(new Map(this.values), new Map(this.owners));
  }

  valueOf(made: Made): string | undefined {
    return this.values.get(made);
  }

  /** Takes `found` as the value, when none was seen before. Answers what is wrong with it. */
  meet(made: Made, found: unknown): string | undefined {
    const known = this.values.get(made);
    if (known !== undefined) return known === found ? undefined : `is ${show(found)}; it was ${known} before`;
    if (typeof found !== 'string' || !made.form.test(found))
      return `is ${show(found)}, which is not ${made.form}`;
    if (made.among !== undefined) {
      const place = `${made.among} ${found}`;
      if (this.owners.has(place))
        return `is ${found}, which stood for something else of ${made.among} before`;
      this.owners.set(place, made);
    }
    this.values.set(made, found);
    return undefined;
  }

  /** Where and how `found` is not what is expected: same members, same order, made values as before. */
  difference(expected: unknown, found: unknown, path = ''): string | undefined {
    if (expected === ANYTHING || expected === OPTIONAL) return undefined;
    if (expected instanceof Made) {
      const wrong = this.meet(expected, found);
      return wrong === undefined ? undefined : `${path} ${wrong}`;
    }
    if (expected instanceof AnyOrder)
      return this.difference(
        [...expected.items].sort(),
        Array.isArray(found) ? [...(found as unknown[])].sort() : found,
        path,
      );
    if (typeof expected !== 'object' || expected === null) {
      // by value: the JSON of -0 is 0
      return expected === found ? undefined : `${path} is ${show(found)}; expected ${show(expected)}`;
    }
    if (typeof found !== 'object' || found === null || Array.isArray(expected) !== Array.isArray(found))
      return `${path} is ${show(found)}; expected ${show(expected)}`;
    const [wanted, got] = [membersOf(expected), membersOf(found)];
    for (const name of new Set([...wanted.keys(), ...got.keys()])) {
      const place = `${path}/${name}`;
      if (!got.has(name) && wanted.get(name) === OPTIONAL) continue;
      if (!got.has(name)) return `${place} is missing; expected ${show(wanted.get(name))}`;
      if (!wanted.has(name)) return `${place} is ${show(got.get(name))}; nothing was expected there`;
      const wrong = this.difference(wanted.get(name), got.get(name), place);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}

function membersOf(value: object): Map<string, unknown> {
  return new Map(Object.entries(value).filter(([, member]) => member !== undefined));
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_name, inner: unknown) =>
    inner instanceof Made ? 'made by the service' : inner === ANYTHING ? 'anything' : inner,
  );
  return (text ?? 'nothing').slice(0, 500);
}
