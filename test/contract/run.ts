import type { JsonObject, JsonValue } from '../../src/model/json.js';
import { relationSourceOf } from '../../src/model/relation.js';
import { until } from '../end-to-end/support/wait.js';
import { type Answered, ask, differenceOf, expectedOf, type Wish } from './ask.js';
import { fill, namesOf } from './fill.js';
import { type LiveEvents, followEvents } from './live-events.js';
import type { ContractService } from './service.js';
import { type Filter, State } from './state.js';

const GENERATED_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A sequence of requests in applications of its own: each is sent to the service and put to the model. */
export interface Run {
  readonly state: State;
  /** @throws Error that says how the answer is not what the contract says */
  carryOut(wish: Wish): Promise<void>;
  /** what stands in `<>` in requests */
  readonly names: ReadonlyMap<string, string>;
  /** Resolves when the stream has told all events of what was answered. */
  untilHeard(): Promise<LiveEvents>;
  /** Compares all that is there, and all live events since the beginning, and ends the stream of events. */
  finish(): Promise<void>;
  close(): void;
}

export async function beginRun({ client, freshWorld, tally }: ContractService): Promise<Run> {
  const world = freshWorld();
  const state = new State(world);
  const [one, other] = world.applications;
  const names = namesOf(world);
  /** every ETag that was answered, by what it was of */
  const tags = new Map<string, string[]>();
  /** the last request under an idempotency key */
  let keyed: Wish | undefined;
  const events: LiveEvents = await followEvents(client, world.applications);

  /** `e1`: an endpoint; `t1`: a token; `f1`: the filter that was created at last as `f1`; `tag_e1`, `old_e1`: their ETags. */
  async function nameOf(name: string): Promise<string> {
    const of = /^(tag|old)_(.*)$/.exec(name);
    if (of === null) return names.get(name) ?? `${world.name}-${name}`;
    const source = await nameOf(of[2]!);
    const endpoint = state.endpoints.get(source);
    if (of[1] === 'tag' && endpoint !== undefined && state.made.valueOf(endpoint.tag) === undefined)
      await carryOut({ route: 'GET /endpoints/{endpointId}/metadata', endpointId: source });
    const made = (state.endpoints.get(source) ?? state.filters.get(source))?.tag;
    const present = made === undefined ? undefined : state.made.valueOf(made);
    const older = tags.get(source)?.filter((tag) => tag !== present);
    return (of[1] === 'tag' ? present : older?.at(-1)) ?? '"none"';
  }

  async function carryOut(generated: Wish): Promise<void> {
    const wish = generated.route === 'again' ? keyed : await fill(generated, nameOf);
    if (wish === undefined) return;
    if (wish.idempotencyKey !== undefined) keyed = wish;
    const answered = wish.route === 'walk' ? await walk(wish) : await complete(wish);
    if (wish.route === 'walk') wish.route = 'GET /endpoints';
    const expected = expectedOf(state, wish, answered);
    const answer = `${wish.route} ${expected.code ?? expected.status}`;
    tally.set(answer, (tally.get(answer) ?? 0) + 1);
    const difference = differenceOf(state, expected, answered) ?? faultOfMade(wish, answered);
    if (difference !== undefined) throw new Error(`${JSON.stringify(wish)} was answered with ${difference}`);
    const source = wish.endpointId ?? wish.id ?? '';
    if (answered.etag !== undefined) tags.set(source, [...(tags.get(source) ?? []), answered.etag]);
    await settle(wish, answered);
  }

  /** A batch is asked about until it is done; its status stands for its answer. */
  async function complete(wish: Wish): Promise<Answered> {
    const answered = await ask(client, wish);
    if (wish.route !== 'POST /endpoints/batch' || answered.status !== 202) return answered;
    const { taskId } = answered.body as { taskId: string };
    const { endpoints, appVersion } = wish.body as { endpoints: JsonValue[]; appVersion: { name: string } };
    const status = (appName: string) =>
      ask(client, { route: 'GET /endpoints/batch/status', query: { appName, taskId } });
    const app = world.versions[appVersion.name]!;
    const elsewhere = await status(app === one ? other : one);
    if (elsewhere.status !== 404) throw new Error(`the task of another application: ${elsewhere.status}`);
    return until({
      what: 'the batch to be complete',
      longestAgainMs: 2,
      look: async () => {
        const found = await status(app);
        const { createdCount = 0, failedCount = 0 } = found.body as Record<string, number>;
        const isComplete = found.status !== 200 || createdCount + failedCount === endpoints.length;
        return isComplete ? { value: found } : { state: found };
      },
    });
  }

  /** All pages by cursor, put together. */
  async function walk({ query }: Wish): Promise<Answered> {
    const content: JsonValue[] = [];
    for (let cursor: string | undefined; ;) {
      const wish = {
        route: 'GET /endpoints',
        query: { ...query, ...(cursor === undefined ? {} : { cursor }) },
      };
      const answered = await ask(client, wish);
      if (answered.status !== 200) return answered;
      const page = answered.body as { content: JsonValue[]; totalElements: number; nextCursor?: string };
      content.push(...page.content);
      if (page.nextCursor === undefined) {
        delete query!['limit'];
        return { ...answered, body: { content, totalElements: page.totalElements } };
      }
      const isFull = page.content.length === Number(query!['limit']);
      if (!isFull || page.totalElements < content.length)
        throw new Error(`a page that is not the last: ${JSON.stringify(page)}`);
      cursor = page.nextCursor;
    }
  }

  /** Learns what the answer has left open, before the next request. */
  async function settle({ route, body, endpointId }: Wish, answered: Answered): Promise<void> {
    if (endpointId !== undefined && answered.status < 300 && !route.startsWith('GET'))
      await carryOut({ route: 'GET /endpoints/{endpointId}/metadata', endpointId });
    if (route === 'POST /applications/{app}/filters' && answered.status === 201)
      names.set((body as { name: string }).name.slice(0, 2), (answered.body as { id: string }).id);
    for (const { endpointId, created } of state.endpoints.values())
      if (state.made.valueOf(created) === undefined)
        await carryOut({ route: 'GET /endpoints/{endpointId}', endpointId });
    for (const filter of state.filters.values())
      if (state.made.valueOf(filter.tag) === undefined) await untilActive(filter);
  }

  async function untilActive({ id, application: app }: Filter): Promise<void> {
    const wish = { route: 'GET /applications/{app}/filters/{id}', app, id };
    await until({
      what: 'the filter to be active',
      longestAgainMs: 2,
      look: async () => {
        const { body } = await ask(client, wish);
        return (body as JsonObject)['status'] === 'active' ? { value: null } : { state: body };
      },
    });
    await carryOut(wish);
  }

  async function finish(): Promise<void> {
    const all = { tenantId: '<tenant>', include: 'metadata,filters' };
    await carryOut({ route: 'walk', query: { ...all, limit: '2' } });
    for (const endpointId of state.endpoints.keys())
      for (const query of [{}, { include: 'inherited' }])
        await carryOut({ route: 'GET /endpoints/{endpointId}/metadata', endpointId, query });
    for (const endpointId of state.endpoints.keys())
      for (const relation of ['contains', '!contains'])
        await carryOut({ route: 'GET /endpoints/{endpointId}/relations', endpointId, query: { relation } });
    for (const app of world.applications) await carryOut({ route: 'GET /applications/{app}/filters', app });
    for (const id of state.filters.keys())
      await carryOut({ route: 'GET /endpoints', query: { ...all, filterId: id } });
    await untilHeard();
    const relations = relationSourceOf(world.tenant);
    for (const source of new Set([...state.history.keys(), ...events.sources(), relations])) {
      const difference = events.differenceFrom(state, source);
      if (difference !== undefined) throw new Error(`the live events of ${source}: ${difference}`);
    }
  }

  async function untilHeard(): Promise<LiveEvents> {
    // the stream tells changes in their order: once it tells of this one, there is none left
    const body = { appVersion: { name: '<v1>' }, endpointId: '<last>' };
    await carryOut({ route: 'POST /endpoints', body });
    await events.until(await nameOf('last'));
    return events;
  }

  return { state, names, carryOut, untilHeard, finish, close: () => events.close() };
}

/** What the service makes for a registration looks as it should, and `Location` is where it is. */
function faultOfMade(
  { route, body }: Wish,
  { status, body: answer, location }: Answered,
): string | undefined {
  if (status !== 201) return undefined;
  const { endpointId, token, id } = answer as Record<string, string>;
  if (location?.endsWith(`/${encodeURIComponent(endpointId ?? id ?? '')}`) !== true)
    return `the Location ${location}`;
  if (route !== 'POST /endpoints') return undefined;
  const given = body as { endpointId?: string; endpointToken?: string };
  if (given.endpointId === undefined && !GENERATED_ID.test(endpointId!)) return `the id ${endpointId}`;
  return given.endpointToken === undefined && !/^[^+#/.]{16,}$/.test(token!)
    ? `the token ${token}`
    : undefined;
}
