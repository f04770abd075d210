/** What stands in the register that is walked, so that a good part of the requests finds something. */
export interface Fleet {
  applications: readonly string[];
  versions: readonly string[];
  endpointIds: readonly string[];
  keys: readonly string[];
  filterIds: readonly string[];
}

/** Control characters, and what is not ASCII: in a header the HTTP library waits for more instead of refusing them. */
const NOT_IN_HEADERS = Array.from({ length: 256 }, (_each, code) => code).filter(
  (code) => code < 32 || code > 126,
);

const ITEMS_FAIL_ALONE = ['changeMetadataBatch'];
/** Values that the document can not describe: the filter language, expressions, cursors, patches against a state. */
const BEYOND_SCHEMAS = [
  'listEndpoints',
  'searchEndpoints',
  'listRelations',
  'createFilter',
  'changeFilter',
  'previewFilter',
  'patchMetadata',
  // lines with an Idempotency-Key
  'changeMetadataBatch',
  // whole numbers that a double does not hold, in metadata
  'startBatch',
  // a time that is to come
  'republishEvents',
];
/** Their last segment is an endpoint's id (or a filter's) as well, so that more methods are taken than theirs. */
const ALSO_AN_ID = ['searchEndpoints', 'deleteEndpoints', 'startBatch', 'previewFilter'];

/** The configuration file of the walk, as TOML. */
export function configText(fleet: Fleet, examples: number, seed: number | undefined): string {
  const texts = (values: readonly (string | number)[]) => JSON.stringify(values);
  const excluded = NOT_IN_HEADERS.map((code) => `\\u${code.toString(16).padStart(4, '0')}`).join('');
  const dictionaries = Object.entries(fleet).map(
    ([name, values]) => `${name} = { values = ${texts(values as readonly string[])} }`,
  );
  const bound = (parameter: string, dictionary: keyof Fleet) =>
    `${JSON.stringify(parameter)} = { dictionary = ${JSON.stringify(dictionary)}, probability = 0.7 }`;
  const off = (operations: readonly string[], check: string) =>
    `[[operations]]\ninclude-operation-id = ${texts(operations)}\nchecks.${check}.enabled = false`;
  return [
    ...(seed === undefined ? [] : [`seed = ${seed}`]),
    'continue-on-failure = true',
    'request-timeout = 10',
    'warnings = false',
    '[generation]',
    `max-examples = ${examples}`,
    'database = "none"',
    'allow-x00 = false',
    `exclude-header-characters = "${excluded}"`,
    // names of headers with other characters than letters, digits and "-": as above
    'allow-extra-parameters = false',
    // authentication is off
    'with-security-parameters = false',
    '[checks]',
    'ignored_auth.enabled = false',
    'missing_required_header.enabled = false',
    'positive_data_acceptance.expected-statuses = ["2xx", "3xx", 403, 404, 409, 412, 413]',
    'negative_data_rejection.expected-statuses = ["4xx"]',
    '[dictionaries]',
    ...dictionaries,
    '[parameters]',
    bound('path.app', 'applications'),
    bound('path.endpointId', 'endpointIds'),
    bound('path.key', 'keys'),
    bound('path.id', 'filterIds'),
    bound('query.applicationName', 'applications'),
    bound('query.applicationVersionName', 'versions'),
    bound('query.filterId', 'filterIds'),
    bound('body.appVersion.name', 'versions'),
    bound('body.name', 'versions'),
    bound('body.endpointId', 'endpointIds'),
    '[[operations]]\ninclude-operation-id = "streamEvents"\nenabled = false # its answer has no end',
    off(ITEMS_FAIL_ALONE, 'negative_data_rejection'),
    off(BEYOND_SCHEMAS, 'positive_data_acceptance'),
    off(ALSO_AN_ID, 'allow_header_conformance'),
    '',
  ].join('\n');
}
