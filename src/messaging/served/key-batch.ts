import type { KeyUpdate } from '../../avro/index.js';
import { isEndpointId } from '../../model/endpoint.js';
import { refuse } from '../../model/errors.js';
import { type Answer, ok, type Outcome } from '../../model/outcome.js';
import { counted, type Surroundings } from './definition.js';
import { keyCommand } from './key-command.js';

/** Commands of one batch that are given to the register at a time. */
export const COMMANDS_AT_ONCE = 4096;
/** Of a reason phrase, for the names in it; more are counted. */
const MAX_NAMES_SHARE = 0.5;
/** Of an id that is none. */
const MAX_SHOWN = 80;

/**
 * Sets keys, each valid command by itself, those of one endpoint in their order. All done, or the code of the first
 * failure and which endpoints failed.
 */
export async function updateKeys(
  updates: readonly KeyUpdate[],
  correlationId: string,
  surroundings: Surroundings,
): Promise<Answer<object>> {
  const { endpoints } = surroundings.register;
  const failed = new Set<string>();
  let count = 0;
  let first: Exclude<Outcome, { kind: 'applied' | 'unchanged' }> | undefined;
  for (let at = 0; at < updates.length; at += COMMANDS_AT_ONCE) {
    const some = updates.slice(at, at + COMMANDS_AT_ONCE);
    const outcomes = await Promise.all(
      some.map((update): Promise<Outcome> => {
        const command = keyCommand(update, correlationId, surroundings);
        return 'kind' in command ? Promise.resolve(command) : endpoints.submit(command);
      }),
    );
    outcomes.forEach((outcome, i) => {
      if (outcome.kind !== 'refused' && outcome.kind !== 'retry') return;
      first ??= outcome;
      count++;
      failed.add(some[i]!.endpointId);
    });
  }
  if (first === undefined) return ok({});
  const names = namesOf(failed, surroundings.maxBytes * MAX_NAMES_SHARE);
  return refuse(
    first.code,
    `${count} of ${counted(updates.length, 'command')} failed, of ${names}. The first: ${first.message}`,
  );
}

/** One that is none may be anything. */
function shownId(id: string): string {
  return isEndpointId(id) ? id : JSON.stringify(id.length > MAX_SHOWN ? `${id.slice(0, MAX_SHOWN)}...` : id);
}

function namesOf(endpointIds: ReadonlySet<string>, maxBytes: number): string {
  const named: string[] = [];
  let bytes = 0;
  for (const id of endpointIds) {
    const shown = shownId(id);
    bytes += Buffer.byteLength(shown) + 2;
    if (bytes > maxBytes) break;
    named.push(shown);
  }
  const more = endpointIds.size - named.length;
  if (named.length === 0) return counted(more, 'endpoint');
  return `${named.join(', ')}${more === 0 ? '' : ` and ${counted(more, 'more endpoint')}`}`;
}
