import { useEffect, useState } from 'preact/hooks';
import type { Fault } from '../api-types.js';
import { useDeps, useOwnFeed } from '../deps.js';
import { formatJson, formatNumber } from '../format.js';
import { useLoad, useNowAndThen, useThrottled } from '../load.js';
import { deleteFilter, getFilter, listEndpoints } from '../operations.js';
import { Empty, Loading, Text, When } from '../parts/basics.js';
import { Confirm } from '../parts/dialog.js';
import { commonKeys, EndpointTable } from '../parts/endpoint-table.js';
import { EventList } from '../parts/event-list.js';
import { FaultNote } from '../parts/fault-note.js';
import { LiveBadge } from '../parts/live-badge.js';
import { go } from '../router.js';
import { routeHref } from '../route.js';
import { FilterState, RENAMED_MS } from './filters.js';

const READ_AGAIN_MS = 500;
const PENDING_MS = 500;
const SHOWN_MEMBERS = 25;
const SHOWN_EVENTS = 30;
const COLUMNS = 2;

/** One filter: its query, and its members as they come and go. */
export function FilterView({ app, id }: { app: string; id: string }) {
  const { api } = useDeps();
  const feed = useOwnFeed({ filterId: id });
  const [deleting, setDeleting] = useState(false);
  const filter = useLoad(`filter ${app} ${id}`, (signal) => getFilter(api, app, id, signal));
  const active = filter.value?.status === 'active';
  const members = useLoad(`members ${id} ${String(active)}`, async (signal) =>
    active
      ? listEndpoints(api, { filterId: id, include: 'metadata', limit: SHOWN_MEMBERS }, signal)
      : { ok: true as const, value: { totalElements: 0, content: [] } },
  );
  const readAgain = useThrottled(() => {
    filter.reload();
    members.reload();
  }, READ_AGAIN_MS);
  useEffect(() => feed.listen(readAgain), [feed, readAgain]);
  useEffect(() => {
    if (feed.missed > 0) readAgain();
  }, [feed.missed, readAgain]);
  useNowAndThen(filter.reload, RENAMED_MS);
  useEffect(() => {
    if (filter.value?.status !== 'pending' || filter.value.fault !== undefined) return;
    const timer = setTimeout(filter.reload, PENDING_MS);
    return () => clearTimeout(timer);
  }, [filter.value]);

  if (filter.fault?.code === 'filter-not-found')
    return (
      <Empty title="There is no such filter, or not any more.">
        <a class="button" href={routeHref(['filters'], { app })}>
          All filters of {app}
        </a>
      </Empty>
    );
  if (filter.value === undefined)
    return filter.fault === undefined ? (
      <Loading what="the filter" />
    ) : (
      <FaultNote fault={filter.fault} onRetry={filter.reload} />
    );
  const { value } = filter;
  const list = members.value?.content ?? [];
  return (
    <>
      <p class="crumbs">
        <a href={routeHref(['filters'], { app })}>Filters of {app}</a>
      </p>
      <div class="title-row">
        <h1 tabIndex={-1}>
          <Text>{value.name}</Text>
        </h1>
        <div class="title-tools">
          <LiveBadge state={feed.state} />
          <a class="button" href={routeHref(['filters', app, id, 'edit'])}>
            Edit
          </a>
          <button type="button" class="button button-danger" onClick={() => setDeleting(true)}>
            Delete …
          </button>
        </div>
      </div>
      {value.description !== '' && (
        <p class="muted">
          <Text>{value.description}</Text>
        </p>
      )}
      {filter.fault !== undefined && <FaultNote fault={filter.fault} again />}
      {value.fault !== undefined && (
        <p class="note note-fault" role="alert">
          The query can not be read by this version: {value.fault} Change it, and the filter is evaluated
          anew.
        </p>
      )}
      <dl class="facts">
        <div>
          <dt>State</dt>
          <dd>
            <FilterState filter={value} />
          </dd>
        </div>
        <div>
          <dt>Members</dt>
          <dd>
            <span class="member-count" role="status" aria-label="Member count">
              {active ? formatNumber(value.matchedEndpointsCount) : '–'}
            </span>
          </dd>
        </div>
        <div>
          <dt>Changed</dt>
          <dd>
            <When iso={value.updatedDate} />
          </dd>
        </div>
      </dl>
      <div class="columns">
        <section class="panel" aria-label="Members">
          <header class="panel-head">
            <h2>Members</h2>
            <a href={routeHref(['fleet'], { app, filter: id })}>Open in the fleet</a>
          </header>
          {members.fault !== undefined && <FaultNote fault={members.fault} again />}
          {list.length > 0 ? (
            <EndpointTable brief caption="Members" endpoints={list} keys={keysOf(value.mongoQuery, list)} />
          ) : (
            <Empty
              title={active ? 'No endpoint matches now.' : 'Members are known when the filter is active.'}
            >
              {active && <p>As soon as one does, it appears here.</p>}
            </Empty>
          )}
          {value.matchedEndpointsCount > list.length && list.length > 0 && (
            <p class="hint">The newest {list.length} are shown.</p>
          )}
        </section>
        <div class="stack">
          <section class="panel" aria-label="Query">
            <header class="panel-head">
              <h2>Query</h2>
            </header>
            <pre class="raw code" tabIndex={0} aria-label="Query as JSON">
              {formatJson(value.mongoQuery)}
            </pre>
          </section>
          <EventList
            label="Who comes and goes"
            events={feed.newest}
            limit={SHOWN_EVENTS}
            empty="Nobody came or went since this page was opened."
          />
        </div>
      </div>
      {deleting && <DeleteFilter app={app} id={id} name={value.name} onClose={() => setDeleting(false)} />}
    </>
  );
}

interface DeleteFilterProps {
  app: string;
  id: string;
  name: string;
  onClose: () => void;
}

function DeleteFilter({ app, id, name, onClose }: DeleteFilterProps) {
  const { api, say } = useDeps();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault>();
  async function confirm(): Promise<void> {
    setBusy(true);
    const answer = await deleteFilter(api, app, id);
    setBusy(false);
    if (!answer.ok && answer.fault.code !== 'filter-not-found') return setFault(answer.fault);
    say('The filter is deleted');
    go(['filters'], { app });
  }
  return (
    <Confirm
      title="Delete the filter?"
      action="Delete"
      busy={busy}
      onConfirm={() => void confirm()}
      onClose={onClose}
    >
      <p>
        <Text>{name}</Text>: services that follow it get no more events of it. Its endpoints stay.
      </p>
      {fault !== undefined && <FaultNote fault={fault} />}
    </Confirm>
  );
}

/** The keys that the query is about, or those that the members have. */
function keysOf(query: unknown, endpoints: Parameters<typeof commonKeys>[0]): string[] {
  const keys = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, each] of Object.entries(value)) {
      if (name === 'key' && typeof each === 'string') keys.add(each);
      else look(each);
    }
  };
  look(query);
  return keys.size > 0 ? [...keys].slice(0, COLUMNS) : commonKeys(endpoints, COLUMNS);
}
