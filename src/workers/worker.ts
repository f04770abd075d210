import { move, transferableSymbol, valueSymbol } from 'piscina';
import { holdFilters } from './application-filters.js';
import { decodeGroups, encodeEvaluated } from './batch-frames.js';
import { evaluateGroup, type EvaluateSettings } from './evaluate-group.js';
import type {
  EvaluateRequest,
  ScreenRequest,
  WorkerRequest,
  WorkerResponse,
  WorkerSettings,
} from './messages.js';
import { prepareLimits } from './metadata-change.js';
import { screenRecords } from './screen-records.js';

/** The filter sets of this thread; a worker is behind until it is told. */
const held = holdFilters();
/** Each message has its own copy of the settings, the same nearly always. */
let prepared: { text: string; settings: EvaluateSettings } | undefined;

/** The task of a worker thread: one message in, one out. So that a rejection means that the thread died, it never throws. */
export default function work(request: WorkerRequest): unknown {
  let response: WorkerResponse;
  try {
    response = answer(request);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { kind: 'failed', message, stack: stack ?? message } satisfies WorkerResponse;
  }
  if (response.kind !== 'evaluated') return response;
  return move({ [transferableSymbol]: [response.groups.buffer], [valueSymbol]: response });
}

function answer(request: WorkerRequest): WorkerResponse {
  if (request.update !== undefined) held.update(request.update);
  if (held.epoch !== request.epoch) return { kind: 'behind', epoch: held.epoch };
  return request.kind === 'screen' ? screen(request) : evaluate(request);
}

function screen({ application, records }: ScreenRequest): WorkerResponse {
  return { kind: 'screened', places: screenRecords(records, held.of(application)) };
}

function evaluate(request: EvaluateRequest): WorkerResponse {
  const settings = prepare(request);
  return {
    kind: 'evaluated',
    groups: encodeEvaluated(
      decodeGroups(request.groups).map((group) => evaluateGroup(group, held, settings)),
    ),
  };
}

function prepare({ limits, originatorReplicaId, metadataOnRegistration, withEvents }: WorkerSettings) {
  const settings = { originatorReplicaId, metadataOnRegistration, withEvents };
  const text = JSON.stringify([limits, settings]);
  if (prepared?.text !== text) prepared = { text, settings: { limits: prepareLimits(limits), ...settings } };
  return prepared.settings;
}
