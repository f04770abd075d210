import type { Encoding } from './read-files.js';

/**
 * The smallest form that an `Accept-Encoding` takes (RFC 9110, section 12.5.3). Plain is taken whenever nothing else is:
 * an answer is of more use than a 406.
 */
export function acceptedEncoding(header: string | undefined): readonly Encoding[] {
  const weights = new Map<string, number>();
  for (const part of (header ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((each) => each.startsWith('q='));
    weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  const takes = (name: string): boolean => (weights.get(name) ?? weights.get('*') ?? 0) > 0;
  return [...(['br', 'gzip'] as const).filter(takes), 'identity'];
}
