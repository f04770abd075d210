import type { Command, Wish } from '../../model/command.js';
import type { Call } from '../table/route.js';

/** The command that a request wishes on the endpoint of its path. */
export function commandOf(call: Call<'endpointId'>, wish: Wish): Command {
  return commandOn(call.path.endpointId, call, wish);
}

/** The command that a request wishes on an endpoint. */
export function commandOn(endpointId: string, call: Call, wish: Wish): Command {
  const command: Command = {
    endpointId,
    correlationId: call.context.correlationId,
    timestampMs: call.receivedMs,
    ...wish,
  };
  if (call.context.tenant !== undefined) command.tenant = call.context.tenant;
  if (call.ifMatch !== undefined) command.ifMatch = call.ifMatch;
  return command;
}
