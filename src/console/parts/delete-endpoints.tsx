import { useState } from 'preact/hooks';
import type { Fault } from '../api-types.js';
import { useDeps } from '../deps.js';
import { formatCount } from '../format.js';
import { type Deleted, deleteEndpoints } from '../operations.js';
import { Text } from './basics.js';
import { Confirm, Dialog } from './dialog.js';
import { FaultNote } from './fault-note.js';

interface DeleteEndpointsProps {
  ids: readonly string[];
  onClose: () => void;
  onDeleted: () => void;
}

const NAMED = 8;

/** Asks, deletes, and says which could not be. */
export function DeleteEndpoints({ ids, onClose, onDeleted }: DeleteEndpointsProps) {
  const { api, say } = useDeps();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault>();
  const [failed, setFailed] = useState<Deleted['failed']>([]);
  const what = ids.length === 1 ? 'endpoint' : formatCount(ids.length, 'endpoint');

  async function confirm(): Promise<void> {
    setBusy(true);
    setFault(undefined);
    const answer = await deleteEndpoints(api, ids);
    setBusy(false);
    if (!answer.ok) return setFault(answer.fault);
    const { deleted, failed: left } = answer.value;
    if (deleted.length > 0) say(`${formatCount(deleted.length, 'endpoint')} deleted`);
    setFailed(left);
    if (left.length === 0) onDeleted();
  }

  if (failed.length > 0)
    return (
      <Dialog title="Not all were deleted" onClose={onDeleted}>
        <ul class="plain">
          {failed.map(({ endpointId, code, message }) => (
            <li key={endpointId}>
              <Text>{endpointId}</Text>: {message} <code>{code}</code>
            </li>
          ))}
        </ul>
      </Dialog>
    );
  return (
    <Confirm
      title={`Delete ${what}?`}
      action={`Delete ${what}`}
      busy={busy}
      onConfirm={() => void confirm()}
      onClose={onClose}
    >
      <p>Their metadata goes with them. This can not be undone.</p>
      <ul class="plain">
        {ids.slice(0, NAMED).map((id) => (
          <li key={id}>
            <Text>{id}</Text>
          </li>
        ))}
        {ids.length > NAMED && <li class="muted">and {ids.length - NAMED} more</li>}
      </ul>
      {fault !== undefined && <FaultNote fault={fault} />}
    </Confirm>
  );
}
