import { useEffect, useState } from 'preact/hooks';
import type { Fault } from '../api-types.js';
import { useDeps } from '../deps.js';
import type { Feed } from '../feed.js';
import { formatNumber } from '../format.js';
import { useLoad, useThrottled } from '../load.js';
import { changeRelation, type Direction, listRelations } from '../operations.js';
import { routeHref } from '../route.js';
import { Text } from './basics.js';
import { FaultNote } from './fault-note.js';
import { SelectField, TextField } from './field.js';

const SHOWN = 20;
const READ_AGAIN_MS = 500;

const TEXTS: Record<Direction, { list: string; none: string; choice: string }> = {
  contains: { list: 'It contains', none: 'It contains no endpoint.', choice: 'It contains' },
  '!contains': { list: 'It is in', none: 'It is in no other endpoint.', choice: 'It is in' },
};

/** What an endpoint contains, and what contains it. */
export function Relations({ endpointId, feed }: { endpointId: string; feed: Feed }) {
  const [turn, setTurn] = useState(0);
  const readAgain = useThrottled(() => setTurn((count) => count + 1), READ_AGAIN_MS);
  useEffect(
    () =>
      feed.listen((events) => {
        if (events.some(({ type }) => type === 'relations-updated')) readAgain();
      }),
    [feed, readAgain],
  );
  return (
    <section class="panel" aria-label="Relations">
      <header class="panel-head">
        <h2>Relations</h2>
      </header>
      <RelationList endpointId={endpointId} direction="contains" turn={turn} onChanged={readAgain} />
      <RelationList endpointId={endpointId} direction="!contains" turn={turn} onChanged={readAgain} />
      <LinkForm endpointId={endpointId} onChanged={readAgain} />
    </section>
  );
}

interface RelationListProps {
  endpointId: string;
  direction: Direction;
  /** grows when it is to be read again */
  turn: number;
  onChanged: () => void;
}

function RelationList({ endpointId, direction, turn, onChanged }: RelationListProps) {
  const { api, say } = useDeps();
  const [fault, setFault] = useState<Fault>();
  const page = useLoad(`relations ${direction} ${endpointId}`, (signal) =>
    listRelations(api, endpointId, direction, SHOWN, signal),
  );
  const { reload } = page;
  useEffect(() => {
    if (turn > 0) reload();
  }, [turn, reload]);

  async function unlink(other: string): Promise<void> {
    setFault(undefined);
    const answer = await changeRelation(api, 'unlink', ...ordered(direction, endpointId, other));
    if (!answer.ok) return setFault(answer.fault);
    say('The relation is removed');
    onChanged();
  }

  const { list, none } = TEXTS[direction];
  const content = page.value?.content ?? [];
  const shownFault = fault ?? page.fault;
  return (
    <div class="relations">
      <h3>
        {list}{' '}
        {page.value !== undefined && <span class="count">{formatNumber(page.value.totalElements)}</span>}
      </h3>
      {shownFault !== undefined && <FaultNote fault={shownFault} again={fault === undefined} />}
      {page.value !== undefined && content.length === 0 && <p class="muted">{none}</p>}
      <ul class="relation-list" aria-label={list}>
        {content.map(({ endpointId: other }) => (
          <li key={other}>
            <a href={routeHref(['endpoints', other])}>
              <Text>{other}</Text>
            </a>
            <button
              type="button"
              class="button button-small"
              aria-label={`Remove the relation with ${other}`}
              onClick={() => void unlink(other)}
            >
              Remove
            </button>
          </li>
        ))}
      </ul>
      {page.value !== undefined && page.value.totalElements > content.length && content.length > 0 && (
        <p class="hint">The first {content.length} are shown.</p>
      )}
    </div>
  );
}

function LinkForm({ endpointId, onChanged }: { endpointId: string; onChanged: () => void }) {
  const { api, say } = useDeps();
  const [direction, setDirection] = useState<Direction>('contains');
  const [other, setOther] = useState('');
  const [fault, setFault] = useState<Fault>();

  async function link(event: Event): Promise<void> {
    event.preventDefault();
    if (other === '') return;
    setFault(undefined);
    const answer = await changeRelation(api, 'link', ...ordered(direction, endpointId, other));
    if (!answer.ok) return setFault(answer.fault);
    say('The relation is made');
    setOther('');
    onChanged();
  }

  return (
    <form class="relation-form" aria-label="Add a relation" onSubmit={(event) => void link(event)}>
      <SelectField
        label="Direction"
        value={direction}
        choices={(['contains', '!contains'] as const).map((value) => ({ value, text: TEXTS[value].choice }))}
        onChoose={(value) => setDirection(value as Direction)}
      />
      <TextField label="Other endpoint" value={other} onText={setOther} placeholder="its id" code />
      <button type="submit" class="button" disabled={other === ''}>
        Add
      </button>
      {fault !== undefined && <FaultNote fault={fault} />}
    </form>
  );
}

/** The container first. */
function ordered(direction: Direction, own: string, other: string): [from: string, to: string] {
  return direction === 'contains' ? [own, other] : [other, own];
}
