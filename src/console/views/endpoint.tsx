import { useEffect, useState } from 'preact/hooks';
import type { Endpoint } from '../api-types.js';
import { useDeps, useOwnFeed } from '../deps.js';
import type { Feed } from '../feed.js';
import { useLoad, useThrottled } from '../load.js';
import { getEndpoint, getFilter, getMetadata } from '../operations.js';
import { CopyButton, Empty, Loading, Text, When } from '../parts/basics.js';
import { DeleteEndpoints } from '../parts/delete-endpoints.js';
import { EventList, NO_EVENTS_GRANTED } from '../parts/event-list.js';
import { FaultNote } from '../parts/fault-note.js';
import { LiveBadge } from '../parts/live-badge.js';
import { MetadataTable } from '../parts/metadata-table.js';
import { Relations } from '../parts/relations.js';
import { go } from '../router.js';
import { routeHref } from '../route.js';

const READ_AGAIN_MS = 500;
const SHOWN_EVENTS = 50;
const SHOWN_FILTERS = 20;

/** One endpoint: what is known of it, and what happens to it now. */
export function EndpointView({ id }: { id: string }) {
  const { api } = useDeps();
  const feed = useOwnFeed({ endpointId: id });
  const endpoint = useLoad(`endpoint ${id}`, (signal) => getEndpoint(api, id, signal));
  const metadata = useLoad(`metadata ${id}`, (signal) => getMetadata(api, id, signal));
  const [deleting, setDeleting] = useState(false);
  useChanges(feed, () => {
    endpoint.reload();
    metadata.reload();
  });

  const fault = endpoint.fault ?? metadata.fault;
  if (fault?.code === 'endpoint-not-found')
    return (
      <>
        <h1 tabIndex={-1}>
          <Text>{id}</Text>
        </h1>
        <Empty title="No endpoint with this id is registered, or not any more.">
          <a class="button" href={routeHref(['fleet'], { text: id })}>
            Search the fleet for it
          </a>
        </Empty>
        <EventList
          label="Live events"
          events={feed.newest}
          limit={SHOWN_EVENTS}
          withEndpoint={false}
          empty="None so far."
        />
      </>
    );
  return (
    <>
      <div class="title-row">
        <h1 tabIndex={-1}>
          <Text>{id}</Text>
        </h1>
        <div class="title-tools">
          <LiveBadge state={feed.state} />
          <CopyButton text={id} what="the id" />
          <button type="button" class="button button-danger" onClick={() => setDeleting(true)}>
            Delete …
          </button>
        </div>
      </div>
      {fault !== undefined && (
        <FaultNote
          fault={fault}
          onRetry={() => {
            endpoint.reload();
            metadata.reload();
          }}
        />
      )}
      {endpoint.value === undefined || metadata.value === undefined ? (
        fault === undefined && <Loading what="the endpoint" />
      ) : (
        <>
          <Facts endpoint={endpoint.value} etag={metadata.etag} />
          <div class="columns">
            <MetadataTable
              endpointId={id}
              metadata={metadata.value}
              etag={metadata.etag ?? ''}
              onChanged={() => {
                metadata.reload();
                endpoint.reload();
              }}
            />
            <div class="stack">
              <Memberships endpoint={endpoint.value} />
              <Relations endpointId={id} feed={feed} />
              <EventList
                label="Live events"
                events={feed.newest}
                limit={SHOWN_EVENTS}
                withEndpoint={false}
                empty={
                  feed.state.kind === 'denied'
                    ? NO_EVENTS_GRANTED
                    : 'Nothing has happened to this endpoint since the page was opened.'
                }
              />
            </div>
          </div>
        </>
      )}
      {deleting && (
        <DeleteEndpoints ids={[id]} onClose={() => setDeleting(false)} onDeleted={() => go(['fleet'])} />
      )}
    </>
  );
}

/** Reads anew after events, and after a time in which events may have been missed. */
function useChanges(feed: Feed, readAgain: () => void): void {
  const later = useThrottled(readAgain, READ_AGAIN_MS);
  useEffect(() => feed.listen(later), [feed, later]);
  useEffect(() => {
    if (feed.missed > 0) later();
  }, [feed.missed, later]);
}

function Facts({ endpoint, etag }: { endpoint: Endpoint; etag: string | undefined }) {
  const { applications } = useDeps();
  const { appVersion, createdDate, metadataUpdatedDate } = endpoint;
  const application = applicationOf(applications, appVersion.name);
  return (
    <dl class="facts">
      <div>
        <dt>Application</dt>
        <dd>
          {application === undefined ? (
            '–'
          ) : (
            <a href={routeHref(['fleet'], { app: application })}>{application}</a>
          )}
        </dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd>
          {appVersion.name} <span class="muted">since</span> <When iso={appVersion.registeredDate} />
        </dd>
      </div>
      <div>
        <dt>Created</dt>
        <dd>
          <When iso={createdDate} />
        </dd>
      </div>
      <div>
        <dt>Metadata updated</dt>
        <dd>
          <When iso={metadataUpdatedDate} />
        </dd>
      </div>
      <div>
        <dt>ETag</dt>
        <dd>
          <code class="data">{etag ?? '–'}</code>
        </dd>
      </div>
    </dl>
  );
}

function Memberships({ endpoint }: { endpoint: Endpoint }) {
  const { applications } = useDeps();
  const application = applicationOf(applications, endpoint.appVersion.name);
  const ids = endpoint.filters ?? [];
  return (
    <section class="panel" aria-label="Filters that it matches">
      <header class="panel-head">
        <h2>Filters that it matches</h2>
        <span class="count">{ids.length}</span>
      </header>
      {ids.length === 0 ? (
        <p class="muted pad">None of the active ones.</p>
      ) : (
        <ul class="chips">
          {ids.slice(0, SHOWN_FILTERS).map((id) => (
            <li key={id}>
              <FilterLink application={application ?? ''} id={id} />
            </li>
          ))}
          {ids.length > SHOWN_FILTERS && <li class="muted">and {ids.length - SHOWN_FILTERS} more</li>}
        </ul>
      )}
    </section>
  );
}

function FilterLink({ application, id }: { application: string; id: string }) {
  const { api } = useDeps();
  const filter = useLoad(`filter ${application} ${id}`, (signal) => getFilter(api, application, id, signal));
  return (
    <a class="chip" href={routeHref(['filters', application, id])}>
      <Text>{filter.value?.name ?? id}</Text>
    </a>
  );
}

function applicationOf(
  applications: readonly { name: string; versions: { name: string }[] }[],
  version: string,
): string | undefined {
  return applications.find(({ versions }) => versions.some(({ name }) => name === version))?.name;
}
