import { ask, endingFailure, type AskDeps } from '../ask.js';
import { CliFailure } from '../failure.js';
import { errorOf, type HttpAnswer } from '../http.js';
import { isAsWanted, sameQuery, type ChangedFilter, type SavedFilter } from './difference.js';
import type { WantedFilter } from './filter-file.js';

/** What became of one change: the filter as it is now, null when it is deleted, or why it was not made. */
export type Applied =
  | { ok: true; filter: SavedFilter | null }
  /** `path`: into the body that was sent, where the register names one */
  | { ok: false; status: number; faults: { path: string; message: string }[] };

/** The saved filters of one application. What no other request would fare better with rejects with a {@link CliFailure}. */
export interface RegisterFilters {
  list(): Promise<SavedFilter[]>;
  /** Undefined: there is none. */
  get(id: string): Promise<{ filter: SavedFilter; etag: string } | undefined>;
  create(wanted: WantedFilter): Promise<Applied>;
  /** Only while it is as it was shown. */
  change(change: ChangedFilter): Promise<Applied>;
  /** Only while it is as it was shown. */
  remove(shown: SavedFilter): Promise<Applied>;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const MEANWHILE = 'It was changed by somebody else meanwhile; run this again to see how it is now.';

export function createRegisterFilters(deps: AskDeps, application: string): RegisterFilters {
  const base = `/api/v1/applications/${encodeURIComponent(application)}/filters`;
  const pathOf = (id: string): string => `${base}/${encodeURIComponent(id)}`;

  const list: RegisterFilters['list'] = async () => {
    const found = new Map<string, SavedFilter>();
    for (let offset = 0; ;) {
      const answer = await ask(deps, { method: 'GET', path: `${base}?offset=${offset}` });
      if (answer.status !== 200) throw ending(answer) ?? unexpected(answer);
      const { content, totalElements } = bodyOf<{ content: SavedFilter[]; totalElements: number }>(answer);
      for (const filter of content) found.set(filter.id, filter);
      offset += content.length;
      if (content.length === 0 || offset >= totalElements) return [...found.values()];
    }
  };

  const get: RegisterFilters['get'] = async (id) => {
    const answer = await ask(deps, { method: 'GET', path: pathOf(id) });
    if (answer.status === 404 && errorOf(answer).code === 'filter-not-found') return undefined;
    if (answer.status !== 200) throw ending(answer) ?? unexpected(answer);
    return { filter: bodyOf<SavedFilter>(answer), etag: answer.headers.etag ?? '' };
  };

  const create: RegisterFilters['create'] = async (wanted) => {
    const { name, description = '', mongoQuery } = wanted;
    const body = JSON.stringify({ name, description, mongoQuery });
    const answer = await ask(deps, { method: 'POST', path: base, headers: JSON_TYPE, body });
    if (answer.status === 201) return { ok: true, filter: bodyOf<SavedFilter>(answer) };
    if (answer.status === 409 && errorOf(answer).code === 'filter-name-taken') {
      // an earlier answer may have been lost on its way
      const there = (await list()).find((filter) => filter.name === name);
      if (there !== undefined && isAsWanted(there, { ...wanted, description }))
        return { ok: true, filter: there };
    }
    return refused(answer);
  };

  /** Makes a change of what is still as it was shown; a filter that becomes active meanwhile has another ETag. */
  const whileAsShown = async (
    shown: SavedFilter,
    request: { method: string; body?: string },
    isDone: (now: SavedFilter | undefined) => boolean,
  ): Promise<Applied> => {
    for (;;) {
      const now = await get(shown.id);
      if (isDone(now?.filter)) return { ok: true, filter: now?.filter ?? null };
      if (now === undefined || !isAsShown(now.filter, shown))
        return { ok: false, status: 412, faults: [{ path: '', message: MEANWHILE }] };
      const headers = { 'if-match': now.etag, ...(request.body === undefined ? {} : JSON_TYPE) };
      const answer = await ask(deps, { ...request, path: pathOf(shown.id), headers });
      if (answer.status === 200) return { ok: true, filter: bodyOf<SavedFilter>(answer) };
      if (answer.status === 204) return { ok: true, filter: null };
      const gone = answer.status === 404 && errorOf(answer).code === 'filter-not-found';
      if (answer.status !== 412 && !gone) return refused(answer);
    }
  };

  return {
    list,
    get,
    create,
    change({ wanted, saved }) {
      const { description, mongoQuery } = wanted;
      const body = JSON.stringify({
        ...(description === undefined || description === saved.description ? {} : { description }),
        ...(sameQuery(saved, wanted) ? {} : { mongoQuery }),
      });
      const isDone = (now: SavedFilter | undefined): boolean => now !== undefined && isAsWanted(now, wanted);
      return whileAsShown(saved, { method: 'PATCH', body }, isDone);
    },
    remove: (shown) => whileAsShown(shown, { method: 'DELETE' }, (now) => now === undefined),
  };
}

function isAsShown(now: SavedFilter, shown: SavedFilter): boolean {
  return now.name === shown.name && now.description === shown.description && sameQuery(now, shown);
}

function bodyOf<T>(answer: HttpAnswer): T {
  return JSON.parse(answer.body.toString('utf8')) as T;
}

function refused(answer: HttpAnswer): Applied {
  const failure = ending(answer);
  if (failure !== undefined) throw failure;
  const { message, details = [] } = errorOf(answer);
  return { ok: false, status: answer.status, faults: details.length > 0 ? details : [{ path: '', message }] };
}

function ending(answer: HttpAnswer): CliFailure | undefined {
  const { code, message } = errorOf(answer);
  if (answer.status === 404 && code === 'application-not-found')
    return new CliFailure(`${message} Applications are configuration of the register (kaa.applications).`);
  return endingFailure(answer);
}

function unexpected(answer: HttpAnswer): CliFailure {
  return new CliFailure(`The filters can not be read (${answer.status}): ${errorOf(answer).message}`);
}
