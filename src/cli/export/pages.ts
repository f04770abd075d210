import { ask, endingFailure, type AskDeps } from '../ask.js';
import { CliFailure } from '../failure.js';
import { errorOf, type HttpAnswer } from '../http.js';

export interface ListedEndpoint {
  endpointId: string;
  appVersion: { name: string };
  metadata: Record<string, unknown>;
}

export interface Page {
  content: ListedEndpoint[];
  /** of the whole list, as it is now */
  total: number;
  /** undefined: this was the last */
  next: string | undefined;
}

const FIRST_LIMIT = 500;
const LARGEST_LIMIT = 2000;
/** What a page should weigh: enough that its request costs nothing beside it, little enough to hold some in memory. */
const PAGE_BYTES = 4 * 1024 * 1024;

/**
 * Reads the endpoints, oldest first, page by page. How many are asked for follows from how large the ones before were.
 *
 * @param query the list's filters, as `GET /endpoints` takes them
 */
export function createPages(
  deps: AskDeps,
  query: Readonly<Record<string, string>>,
): (cursor: string | undefined) => Promise<Page> {
  let limit = FIRST_LIMIT;
  let largest = LARGEST_LIMIT;
  return async (cursor) => {
    for (;;) {
      const parameters = new URLSearchParams({
        ...query,
        include: 'metadata',
        sort: 'createdDate,asc',
        limit: String(limit),
        ...(cursor === undefined ? {} : { cursor }),
      });
      const answer = await ask(deps, { method: 'GET', path: `/api/v1/endpoints?${parameters.toString()}` });
      if (answer.status === 200) {
        const page = readPage(answer);
        const bytesEach = answer.body.length / Math.max(1, page.content.length);
        limit = Math.min(largest, Math.max(1, Math.floor(PAGE_BYTES / bytesEach)));
        return page;
      }
      if (!refusesLimit(answer) || limit === 1) throw refusal(answer);
      largest = limit = Math.floor(limit / 2);
    }
  };
}

/** The largest page is configuration of the register. */
function refusesLimit(answer: HttpAnswer): boolean {
  return answer.status === 400 && (errorOf(answer).details ?? []).some(({ path }) => /^\/?limit$/.test(path));
}

function refusal(answer: HttpAnswer): CliFailure {
  const { code, message } = errorOf(answer);
  const known = answer.status === 404 && code !== undefined && code !== 'not-found';
  return (
    (known ? undefined : endingFailure(answer)) ??
    new CliFailure(`The endpoints can not be listed (${answer.status}): ${message}`)
  );
}

function readPage(answer: HttpAnswer): Page {
  try {
    const { content, totalElements, nextCursor } = JSON.parse(answer.body.toString('utf8')) as {
      content: ListedEndpoint[];
      totalElements: number;
      nextCursor?: string;
    };
    const whole = content.every(
      ({ endpointId, appVersion, metadata }) =>
        typeof endpointId === 'string' && typeof appVersion.name === 'string' && typeof metadata === 'object',
    );
    if (whole) return { content, total: totalElements, next: nextCursor };
  } catch {
    // said below
  }
  throw new CliFailure(
    'What answers at --url is no endpoint register of this version: its list of endpoints has another form.',
  );
}
