/** How a problem is worded. One place, so that every kind reads alike. */
import { childKeys, nearestKey, siblingKeys } from './keys.js';
import type { ConfigProblem } from './types.js';
import { quote } from './value-types.js';

/** `<where>: <key>: found <found>; allowed: <allowed>`, with `why` in between; without a place where `where` is ''. */
export function badValue(of: {
  key: string;
  where: string;
  found: string;
  allowed: string;
  why?: string | undefined;
}): ConfigProblem {
  const { key, where, found, allowed } = of;
  const why = of.why === undefined ? '' : ` (${of.why})`;
  return {
    key,
    where,
    found,
    allowed,
    message: `${where === '' ? '' : `${where}: `}${key}: found ${found}${why}; allowed: ${allowed}`,
  };
}

export function unknownKey(key: string, where: string): ConfigProblem {
  const nearest = nearestKey(key);
  const allowed = siblingKeys(key).join(', ');
  const hint = nearest === undefined ? `allowed here: ${allowed}` : `did you mean ${nearest}?`;
  return { key, where, found: key, allowed, message: `${where}: ${key}: unknown key; ${hint}` };
}

export function badName(key: string, where: string, name: string, allowed: string): ConfigProblem {
  return badValue({ key, where, found: `the name ${quote(name)}`, allowed });
}

/** A value where only a group of keys can stand. */
export function notAGroup(key: string, where: string, found: string): ConfigProblem {
  const children = childKeys(key.split('.'));
  return badValue({ key, where, found, allowed: `a mapping of ${children.join(', ')}` });
}

export function givenTwice(key: string, where: string, first: string): ConfigProblem {
  const found = 'the key a second time';
  return {
    key,
    where,
    found,
    allowed: 'each key once',
    message: `${where}: ${key}: given twice, first at ${first}; allowed: each key once`,
  };
}

export function unreadable(where: string, found: string, allowed: string): ConfigProblem {
  return { key: '', where, found, allowed, message: `${where}: ${found}; allowed: ${allowed}` };
}
