import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Refusal } from '../model/errors.js';
import { type Retry, retry } from '../model/outcome.js';
import { headOf, isTombstone } from '../model/record.js';
import type { Store } from '../storage/index.js';
import type { EndpointResources, ResourceOf, ResourceWish } from './endpoint-resources.js';
import { each } from '../model/each.js';
import { createIdTurns } from './id-turns.js';
import { retryFor } from './retry-for.js';

/** That endpoints and what they have elsewhere come and go together. */
export interface ResourceCare {
  /** Does the work when the endpoint's resource is there; whatever comes of it, none is left of an endpoint that is none. */
  registering<T>(of: Omit<ResourceWish, 'mayReplace'>, work: () => Promise<T>): Promise<T | Refusal | Retry>;
  /** Does the work; if there is no such endpoint then, its resource goes, too, at the latest when the auth server is back. */
  unregistering<T>(of: ResourceOf, work: () => Promise<T>): Promise<T | Retry>;
  /** Takes up what a former process left. */
  start(): void;
  /** Ends what is under way. */
  stop(): Promise<void>;
}

export interface ResourceCareDeps {
  store: Pick<Store, 'load' | 'getText' | 'putText' | 'listTexts' | 'removeText' | 'soleWriter'>;
  resources: EndpointResources;
  /** of this process */
  replicaId: string;
  now: () => number;
  log: Logger;
}

/** Of entries of the list: what may have to be undone stands in it before it is done. */
const PREFIX = 'endpoint-resource/';
const LOOKED_AT_ONCE = 8;
const PAGE = 500;
const AGAIN_FIRST_MS = 5_000;
/** Entries of other processes are theirs for so long; who has not settled one by then is dead. */
const OTHERS_AFTER_MS = 10 * 60_000;
const LOOK_EVERY_MS = 60_000;
const STOP_MS = 2_000;

interface Entry extends ResourceOf {
  replicaId: string;
  sinceMs: number;
  /** its resource may have been taken for a leftover: if it is registered, one is made where there is none */
  mayLack?: true;
  /** of who registers it */
  creator?: string;
}

type Noted = Pick<ResourceWish, 'tenant' | 'endpointId' | 'creator'>;

/**
 * A list in the storage names each endpoint whose registration or unregistration is under way. An entry is settled by a
 * look at the endpoint: where it is registered the resource stays, else it is removed. So a crash at any moment leaves an
 * entry, and nothing for good. All that is done about one id is done in turn here; who finds the entry of another replica,
 * or its own one no more, looks after the endpoint's resource once more when all is done.
 */
export function createResourceCare(deps: ResourceCareDeps): ResourceCare {
  const { store, resources, replicaId, now, log } = deps;
  const turns = createIdTurns();
  const settling = new Set<Promise<unknown>>();
  const stopping = new AbortController();
  const ended = new AbortController();
  // one listener for each that waits
  setMaxListeners(0, ended.signal);
  const startedMs = now();
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let timer: NodeJS.Timeout | undefined;

  const nameOf = ({ tenant, endpointId }: ResourceOf): string => `${PREFIX}${tenant}/${endpointId}`;
  const put = (entry: Entry): Promise<void> => store.putText(nameOf(entry), JSON.stringify(entry));

  /** The entry, for what begins now. */
  async function note({ tenant, endpointId, creator }: Noted): Promise<Entry> {
    const entry: Entry = { tenant, endpointId, replicaId, sinceMs: now() };
    if (creator !== undefined) entry.creator = creator;
    const there = store.soleWriter ? undefined : await store.getText(nameOf(entry));
    if (there !== undefined && (JSON.parse(there) as Entry).replicaId !== replicaId) entry.mayLack = true;
    await put(entry);
    return entry;
  }

  async function isRegistered({ tenant, endpointId }: ResourceOf): Promise<boolean> {
    const [record] = await store.load([endpointId]);
    return record !== undefined && !isTombstone(record) && headOf(record).tenant === tenant;
  }

  /** False: it has to be tried again. */
  async function settle(entry: Entry): Promise<boolean> {
    const name = nameOf(entry);
    try {
      const isAlone = (await store.getText(name)) === JSON.stringify(entry);
      let mayLack = entry.mayLack === true || !isAlone;
      if (!(await isRegistered(entry))) {
        if ((await resources.remove(entry, ended.signal)) !== undefined) return false;
        // another replica may have registered it meanwhile
        mayLack = !store.soleWriter;
      }
      if (mayLack && (await isRegistered(entry))) return await makeMissing(entry);
      if (isAlone) await store.removeText(name);
      return true;
    } catch (error) {
      const { tenant, endpointId } = entry;
      log.warn(
        { err: error, tenant, endpointId },
        'whether a resource has to go could not be looked up; trying again',
      );
      return false;
    }
  }

  /** Of a registered endpoint; the one that is there stays, with the rights on it. False: it has to be tried again. */
  async function makeMissing(entry: Entry): Promise<boolean> {
    await put({ ...entry, mayLack: true });
    const { tenant, endpointId, creator } = entry;
    const by = creator === undefined ? {} : { creator };
    const fault = await resources.make({ tenant, endpointId, ...by, isOfTask: true, signal: ended.signal });
    if (fault?.kind === 'retry') return false;
    await store.removeText(nameOf(entry));
    return true;
  }

  /** In one turn: the entry, the work, the settling, for which nobody waits. */
  async function around<T>(of: Noted, work: (entry: Entry) => Promise<T>): Promise<T | Retry> {
    return new Promise((resolve, reject) => {
      const turn = turns.take(nameOf(of), async () => {
        let entry: Entry;
        try {
          entry = await note(of);
        } catch (error) {
          return resolve(retryFor(error));
        }
        await work(entry).then(resolve, reject);
        if (!(await settle(entry))) lookSoon();
      });
      if (turn === undefined)
        return resolve(retry('overloaded', `Changes of "${of.endpointId}" wait already. Try again shortly.`));
      settling.add(turn);
      void turn.finally(() => settling.delete(turn));
    });
  }

  function lookSoon(): void {
    if (stopping.signal.aborted) return;
    lookAgain = true;
    looking ??= (async () => {
      let pauseMs = AGAIN_FIRST_MS;
      while (lookAgain && !stopping.signal.aborted) {
        lookAgain = false;
        await pause(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (!stopping.signal.aborted && !(await look())) lookAgain = true;
        // the list may be long, and who is away is not back sooner for being asked more
        pauseMs = Math.min(LOOK_EVERY_MS, 2 * pauseMs);
      }
      looking = undefined;
    })();
  }

  /** Settles what the list has. False: not all could be. */
  async function look(): Promise<boolean> {
    let isDone = true;
    let after: string | undefined;
    try {
      do {
        const page = await store.listTexts(PREFIX, PAGE, after);
        const due = page.filter(({ text }) => isDue(JSON.parse(text) as Entry));
        await each(due, LOOKED_AT_ONCE, async ({ name, text }) => {
          if (!stopping.signal.aborted && !(await settleListed(name, text))) isDone = false;
        });
        after = page.length < PAGE ? undefined : page.at(-1)!.name;
      } while (after !== undefined && !stopping.signal.aborted);
      return isDone;
    } catch (error) {
      log.warn({ err: error }, 'the list of resources to look after could not be read; trying again');
      return false;
    }
  }

  function isDue({ replicaId: of, sinceMs }: Entry): boolean {
    return of === replicaId || (store.soleWriter && sinceMs < startedMs) || now() - sinceMs > OTHERS_AFTER_MS;
  }

  async function settleListed(name: string, text: string): Promise<boolean> {
    const turn = turns.take(name, async () => {
      // what was under way has settled it, or begun anew
      if ((await store.getText(name)) !== text) return true;
      return settle(JSON.parse(text) as Entry);
    });
    return turn === undefined ? false : turn.catch(() => false);
  }

  return {
    async registering(of, work) {
      // nothing is made for an endpoint that there is already, and nothing of it is touched
      const there = await isTaken(of.endpointId);
      if (typeof there === 'object') return there;
      if (there) return work();
      return around(of, async (entry) => {
        const mayReplace = () => isLeftover(entry);
        return (await resources.make({ ...of, mayReplace })) ?? work();
      });
    },
    unregistering: (of, work) => around(of, work),
    start() {
      lookAgain = true;
      void look().then((isDone) => isDone || lookSoon());
      timer = setInterval(() => lookSoon(), LOOK_EVERY_MS);
      timer.unref();
    },
    async stop() {
      stopping.abort();
      clearInterval(timer);
      // what an auth server that is away keeps from being settled is taken up by the next process
      await Promise.race([Promise.all([looking, ...settling]), pause(STOP_MS)]);
      ended.abort();
    },
  };

  /** That the resource is of no endpoint. When another replica registers it in this moment, it has to be looked after. */
  async function isLeftover(entry: Entry): Promise<boolean> {
    if ((await isTaken(entry.endpointId)) !== false) return false;
    if (store.soleWriter) return true;
    try {
      entry.mayLack = true;
      await put(entry);
      return true;
    } catch {
      return false;
    }
  }

  async function isTaken(endpointId: string): Promise<boolean | Retry> {
    try {
      const [record] = await store.load([endpointId]);
      return record !== undefined && !isTombstone(record);
    } catch (error) {
      return retryFor(error);
    }
  }
}
