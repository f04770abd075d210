import type { TSchema } from '@sinclair/typebox';
import type { PeerRequest } from './types.js';

export function bodyOf({ body, form }: PeerRequest<TSchema>): { type: string; text: string } | undefined {
  if (form !== undefined) {
    const fields = new URLSearchParams(form.map(([name, value]): [string, string] => [name, value]));
    return { type: 'application/x-www-form-urlencoded', text: fields.toString() };
  }
  return body === undefined ? undefined : { type: 'application/json', text: JSON.stringify(body) };
}

/** Undefined for a segment that a server would take for another place. */
export function pathOf(basePath: string, { path, query }: PeerRequest<TSchema>): string | undefined {
  if (
    path.some((segment) => segment === '' || segment === '.' || segment === '..' || !segment.isWellFormed())
  )
    return undefined;
  const text = `${basePath}/${path.map(encodeURIComponent).join('/')}`;
  return query === undefined ? text : `${text}?${new URLSearchParams(query).toString()}`;
}

const MAX_HEADER_TEXT = 256;

/** Those of messages over NATS may hold anything. */
export function headerText(text: string): string {
  return text.slice(0, MAX_HEADER_TEXT).replace(/[^\x20-\x7e]/g, '?');
}
