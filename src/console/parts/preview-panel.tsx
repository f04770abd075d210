import type { Explain, ExplainedCondition, Preview } from '../api-types.js';
import { formatCount, formatNumber, formatShare, formatValue } from '../format.js';
import type { Loaded } from '../load.js';
import { Empty, Text } from './basics.js';
import { commonKeys, EndpointTable } from './endpoint-table.js';
import { FaultNote } from './fault-note.js';

/** What the query would match, how its conditions share in that, and a few that match. */
export function PreviewPanel({ preview, ready }: { preview: Loaded<Preview | undefined>; ready: boolean }) {
  const { value, fault, loading } = preview;
  return (
    <section class="panel" aria-label="Preview" aria-busy={loading}>
      <header class="panel-head">
        <h2>Preview</h2>
        {loading && ready && <span class="muted">evaluating …</span>}
      </header>
      {/* faults of the query stand in the query */}
      {fault !== undefined && fault.code !== 'invalid-query' && <FaultNote fault={fault} again />}
      {!ready || fault?.code === 'invalid-query' ? (
        <Empty title="As soon as the query is right, what it matches is shown here." />
      ) : (
        value !== undefined && <PreviewResult preview={value} />
      )}
    </section>
  );
}

function PreviewResult({ preview: { matchedEndpointsCount, sample, explain } }: { preview: Preview }) {
  const { endpoints, hints } = explain;
  return (
    <>
      {hints.length > 0 && (
        <div class="note note-warn" role="note" aria-label="Hints on the query">
          {hints.map(({ path, message }) => (
            <p key={path}>
              <Text>{message}</Text>
            </p>
          ))}
        </div>
      )}
      <p class="match-count" role="status">
        <strong>{formatNumber(matchedEndpointsCount)}</strong> of {formatCount(endpoints, 'endpoint')} match
        {endpoints > 0 && <span class="muted"> ({formatShare(matchedEndpointsCount / endpoints)})</span>}
      </p>
      <ExplainTable explain={explain} />
      {sample.length > 0 && (
        <>
          <h3>Some that match</h3>
          <EndpointTable
            brief
            caption="Some that match"
            endpoints={sample}
            keys={explain.dependsOn.metadataKeys?.slice(0, 2) ?? commonKeys(sample, 2)}
          />
        </>
      )}
    </>
  );
}

function ExplainTable({ explain }: { explain: Explain }) {
  const { conditions, omittedConditions, dependsOn } = explain;
  const followed = [
    ...(dependsOn.metadataKeys ?? ['any key']),
    ...(dependsOn.applicationVersion ? ['the version'] : []),
  ];
  return (
    <>
      {conditions.length > 0 && (
        <div class="table-frame">
          <table class="explain">
            <caption class="visually-hidden">What each condition lets through</caption>
            <thead>
              <tr>
                <th scope="col">Condition</th>
                <th scope="col" class="number">
                  Lets through
                </th>
                <th scope="col">Share</th>
              </tr>
            </thead>
            <tbody>
              {conditions.map((each) => (
                <ConditionRow key={each.path} condition={each} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {omittedConditions > 0 && (
        <p class="hint">{formatCount(omittedConditions, 'more condition')} not shown.</p>
      )}
      <p class="hint">
        {followed.length === 0
          ? 'No update evaluates it again.'
          : `Evaluated again only when one of these changes: ${followed.join(', ')}.`}
      </p>
    </>
  );
}

function ConditionRow({ condition }: { condition: ExplainedCondition }) {
  const { selectivity, letsThrough, index } = condition;
  return (
    <tr>
      <td class="value">
        <Text>{formatValue(condition.condition, 160)}</Text>
        {index !== null && <span class="hint"> by index {index}</span>}
      </td>
      <td class="number">{formatNumber(letsThrough)}</td>
      <td class="share">
        {selectivity === null ? (
          '–'
        ) : (
          <>
            <span class="share-bar" aria-hidden="true">
              <span style={{ width: `${selectivity * 100}%` }} />
            </span>{' '}
            {formatShare(selectivity)}
          </>
        )}
      </td>
    </tr>
  );
}
