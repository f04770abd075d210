import type { Command } from '../../model/command.js';
import { isEndpointId } from '../../model/endpoint.js';
import { type Refusal, ERRORS, refuse, statusOf } from '../../model/errors.js';
import { type JsonValue, isJsonObject, pointerToken } from '../../model/json.js';
import { type Outcome, retry, type Retry } from '../../model/outcome.js';
import { etagOf } from '../../model/record.js';
import { readIfMatch } from '../../model/entity-tags.js';
import { refuseEndpoints } from '../authorization.js';
import type { Call, RouteDeps } from '../table/route.js';

/** Items of one list that are under way at a time: enough for full batches, few enough for a queue with others in it. */
export const ITEMS_IN_FLIGHT = 2048;

type BatchCall = Pick<Call, 'context' | 'caller'>;

/**
 * Reads `{endpointId, set?, unset?, ifMatch?}` of a strictly parsed value. By hand: this runs for every line of a
 * stream. O(size of the item).
 */
export function readMetadataItem(value: JsonValue, call: BatchCall, timestampMs: number): Command | Refusal {
  if (!isJsonObject(value)) return badItem('', 'An item is an object {endpointId, set?, unset?, ifMatch?}.');
  for (const name in value) {
    if (name !== 'endpointId' && name !== 'set' && name !== 'unset' && name !== 'ifMatch') {
      return badItem(
        `/${pointerToken(name.slice(0, 80))}`,
        `An item has endpointId, set, unset and ifMatch; "${name.slice(0, 80)}" is not known here.`,
      );
    }
  }
  const { endpointId, set, unset, ifMatch } = value;
  if (typeof endpointId !== 'string' || !isEndpointId(endpointId)) {
    if (endpointId === undefined) return badItem('/endpointId', 'The item has no "endpointId".');
    const [, message] = ERRORS['invalid-endpoint-id'];
    return refuse('invalid-endpoint-id', message, [{ path: '/endpointId', message }]);
  }
  if (set === undefined && unset === undefined) return badItem('', 'The item has neither "set" nor "unset".');
  if (set !== undefined && !isJsonObject(set))
    return badItem('/set', '"set" must be an object of metadata keys and values.');
  if (unset !== undefined && !(Array.isArray(unset) && unset.every((key) => typeof key === 'string'))) {
    return badItem('/unset', '"unset" must be an array of metadata keys.');
  }
  const setText = set === undefined ? '{}' : JSON.stringify(set);
  const command = changeKeys(endpointId, setText, unset ?? [], call, timestampMs);
  if (ifMatch === undefined) return command;
  if (typeof ifMatch !== 'string')
    return badItem('/ifMatch', '"ifMatch" must be a text as in the header If-Match.');
  const tags = readIfMatch(ifMatch);
  if ('kind' in tags) return tags;
  return { ...command, ifMatch: tags.tags };
}

/** @param setText as `JSON.stringify` writes it */
export function changeKeys(
  endpointId: string,
  setText: string,
  unset: readonly string[],
  { context: { correlationId, tenant } }: BatchCall,
  timestampMs: number,
): Command {
  const command: Command = { endpointId, correlationId, timestampMs, type: 'change-keys', setText, unset };
  if (tenant !== undefined) command.tenant = tenant;
  return command;
}

function badItem(path: string, message: string): Refusal {
  return refuse('invalid-body', message, [{ path, message }]);
}

/** Details of a refusal that are pointers into metadata, made pointers into the item. */
function placeInItem(outcome: Outcome, unset: readonly string[]): Outcome {
  if (outcome.kind !== 'refused' || outcome.details === undefined) return outcome;
  const places = new Map(unset.map((key, i) => [`/${pointerToken(key)}`, `/unset/${i}`]));
  const details = outcome.details.map(({ path, message }) => ({
    path: places.get(path) ?? `/set${path}`,
    message,
  }));
  return { ...outcome, details };
}

/** One result as JSON text. One that names no endpoint names its line, where it is of one. */
export function resultJson(endpointId: string | null, outcome: Outcome, line?: number): string {
  // an id that passed its pattern needs no escapes, but a refused one may be anything
  const id = endpointId === null ? 'null' : JSON.stringify(endpointId);
  if (outcome.kind === 'refused' || outcome.kind === 'retry') {
    const { code, message } = outcome;
    const place = endpointId === null && line !== undefined ? `,"line":${line}` : '';
    const details =
      outcome.kind === 'refused' && outcome.details !== undefined
        ? `,"details":${JSON.stringify(outcome.details)}`
        : '';
    return `{"endpointId":${id}${place},"status":${statusOf(code)},"code":"${code}","message":${JSON.stringify(message)}${details}}`;
  }
  // the tag's own quotes are escaped
  const etag = etagOf(outcome.createdMs, outcome.metadataRevision).slice(1, -1);
  return `{"endpointId":${id},"status":200,"etag":"\\"${etag}\\""}`;
}

/** The id that a refused item named, so that its result can name it too. */
export function idOf(value: JsonValue): string | null {
  return isJsonObject(value) && typeof value['endpointId'] === 'string'
    ? value['endpointId'].slice(0, 256)
    : null;
}

const INTERNAL = retry('internal', ERRORS.internal[1]);

/** Carries out one command, unless it was refused; `settle` is called once. By a callback: a promise less for every line of a stream. */
export function submitItem(
  command: Command,
  refused: Refusal | Retry | undefined,
  deps: RouteDeps,
  settle: (outcome: Outcome) => void,
): void {
  if (refused !== undefined) return settle(refused);
  deps.register.endpoints.submit(command).then(
    (outcome) => settle(command.type === 'change-keys' ? placeInItem(outcome, command.unset) : outcome),
    (error: unknown) => {
      deps.log.error({ err: error, correlationId: command.correlationId }, 'a change failed');
      settle(INTERNAL);
    },
  );
}

/** Why the caller may not update an endpoint, for each command; empty when nobody is asked. */
export async function refuseItems(
  call: BatchCall,
  commands: readonly Command[],
  deps: RouteDeps,
): Promise<readonly (Refusal | Retry | undefined)[]> {
  if (!deps.access.authenticates) return [];
  const ids = commands.map(({ endpointId }) => endpointId);
  return refuseEndpoints(call, 'endpoint:update', ids, deps);
}

/**
 * Carries out the items of a list, in order, some at a time. Answers their results as JSON texts, in their places, and
 * whether none of them is to be tried again.
 */
export async function applyMetadataItems(
  call: BatchCall,
  items: readonly JsonValue[],
  deps: RouteDeps,
): Promise<{ texts: string[]; areFinal: boolean }> {
  const texts: string[] = [];
  let areFinal = true;
  const timestampMs = Date.now();
  for (let from = 0; from < items.length; from += ITEMS_IN_FLIGHT) {
    const some = items.slice(from, from + ITEMS_IN_FLIGHT);
    const commands = some.map((item) => readMetadataItem(item, call, timestampMs));
    const asked = commands.filter((command): command is Command => !('kind' in command));
    const refused = await refuseItems(call, asked, deps);
    let next = 0;
    const outcomes = await Promise.all(
      commands.map(
        (command) =>
          new Promise<Outcome>((resolve) => {
            if ('kind' in command) resolve(command);
            else submitItem(command, refused[next++], deps, resolve);
          }),
      ),
    );
    for (let i = 0; i < some.length; i++) {
      areFinal &&= outcomes[i]!.kind !== 'retry';
      texts.push(resultJson(idOf(some[i]!), outcomes[i]!));
    }
  }
  return { texts, areFinal };
}
