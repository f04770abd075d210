/** Rows of the table: limits. All of them are live. */
import { setting, type Setting } from './setting.js';
import { duration, integer, pattern, size } from './value-types.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const hourMs = 3_600_000;

export const limitSettings: readonly Setting[] = [
  setting('limits.metadata-keys', 'limits.metadataKeys', {
    type: integer(1, 1_000_000, '500'),
    default: 1000,
    live: true,
    doc: 'Metadata keys of one endpoint. A write that would exceed it is refused.',
  }),
  setting('limits.endpoint-size', 'limits.endpointBytes', {
    type: size(KiB, 8 * MiB, '128KiB'),
    default: 256 * KiB,
    live: true,
    doc: 'Size of the metadata of one endpoint as JSON. Every change reads and writes the whole record, so large ones make all of them slower.',
  }),
  setting('limits.metadata-key-pattern', 'limits.metadataKeyPattern', {
    type: pattern,
    default: '^[a-zA-Z0-9_]+$',
    live: true,
    doc: 'What a metadata key must match. Stored keys that no longer match stay and can be removed.',
  }),
  setting('limits.nesting', 'limits.nesting', {
    type: integer(1, 64, '16'),
    default: 32,
    live: true,
    doc: 'Depth of objects and lists in a metadata value.',
  }),
  setting('limits.filter-depth', 'limits.filterDepth', {
    type: integer(1, 100, '16'),
    default: 32,
    live: true,
    doc: 'Depth of operators in the query of a filter.',
  }),
  setting('limits.filter-conditions', 'limits.filterConditions', {
    type: integer(1, 5000, '100'),
    default: 1000,
    live: true,
    doc: 'Conditions in the query of one filter: operators, or plain values, under a field name. A metadata key and one condition on its value are two. `$in` is one, `$all` one a value; `$elemMatch`, `$not` and what joins others are none; an empty query is one.',
  }),
  setting('limits.filter-pattern', 'limits.filterPatternBytes', {
    type: size(1, 32 * KiB, '2KiB'),
    default: KiB,
    live: true,
    doc: 'Length of a regular expression in a filter or a search.',
  }),
  setting('limits.filter-patterns', 'limits.filterPatterns', {
    type: integer(1, 100_000, '20'),
    default: 100,
    live: true,
    doc: 'Regular expressions in the query of one filter. Each may have to be run on a changed value, for some nanoseconds a character, at worst microseconds; over all filters, the main thread gives a batch up after some 20 ms, a worker does not.',
  }),
  setting('limits.page-default', 'limits.pageDefault', {
    type: integer(1, 100_000, '100'),
    default: 1000,
    live: true,
    doc: 'Items on a page when the request names no `limit`.',
  }),
  setting('limits.page-max', 'limits.pageMax', {
    type: integer(1, 100_000, '5000'),
    default: 10_000,
    live: true,
    doc: 'The largest `limit` of a page. A page is held in memory.',
  }),
  setting('limits.batch-items', 'limits.batchItems', {
    type: integer(1, 100_000, '500'),
    default: 1000,
    live: true,
    doc: 'Endpoints in one batch registration.',
  }),
  setting('limits.metadata-batch-items', 'limits.metadataBatchItems', {
    type: integer(1, 1_000_000, '5000'),
    default: 10_000,
    live: true,
    doc: 'Items in one metadata batch as JSON; NDJSON may be of any length.',
  }),
  setting('limits.ndjson-line', 'limits.ndjsonLineBytes', {
    type: size(KiB, 64 * MiB, '2MiB'),
    default: MiB,
    live: true,
    doc: 'Length of one line of NDJSON.',
  }),
  setting('limits.filters-per-application', 'limits.filtersPerApplication', {
    type: integer(1, 1_000_000, '1000'),
    default: 100_000,
    live: true,
    doc: 'Saved filters of one application. Their index is in memory that all threads share, some 500 bytes each; its text and its name are on the main thread.',
  }),
  setting('limits.queue', 'limits.queue', {
    type: integer(1, 1_000_000, '5000'),
    default: 20_000,
    live: true,
    doc: 'Commands waiting in the write pipeline. Full means 429 for callers and a paused consumer; a larger one means more memory and longer waits, not more throughput.',
  }),
  setting('limits.batch-task-retention', 'limits.batchTaskRetentionMs', {
    type: duration(60_000, 30 * 24 * hourMs, '48h'),
    default: 24 * hourMs,
    live: true,
    doc: 'How long the status of a finished batch registration can be asked for.',
  }),
];
