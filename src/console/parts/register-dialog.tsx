import { useRef, useState } from 'preact/hooks';
import type { Fault, JsonValue } from '../api-types.js';
import { useDeps } from '../deps.js';
import { jsonFault } from '../json-fault.js';
import { type Registered, type Registration, registerEndpoint } from '../operations.js';
import { routeHref } from '../route.js';
import { CopyButton, Text } from './basics.js';
import { Dialog } from './dialog.js';
import { FaultNote } from './fault-note.js';
import { Field, SelectField, TextField } from './field.js';

interface RegisterDialogProps {
  /** chosen at first, when it is known */
  application: string;
  onClose: () => void;
  onRegistered: () => void;
}

export function RegisterDialog({ application, onClose, onRegistered }: RegisterDialogProps) {
  const { api, applications, say } = useDeps();
  const versions = applications.flatMap(({ name, versions: some }) =>
    some
      .filter(({ deleted }) => deleted !== true)
      .map((version) => ({ application: name, version: version.name })),
  );
  const first = versions.find((each) => each.application === application) ?? versions[0];
  const [version, setVersion] = useState(first?.version ?? '');
  const [id, setId] = useState('');
  const [token, setToken] = useState('');
  const [metadata, setMetadata] = useState('{}');
  const [fault, setFault] = useState<Fault>();
  const [busy, setBusy] = useState(false);
  const [registered, setRegistered] = useState<Registered>();

  /** a registration of which it is not known whether it was done: sent again, it is the same one */
  const open = useRef<{ wanted: string; key: string } | undefined>(undefined);

  const wrong = metadataFault(metadata);
  const at = (path: string): string | undefined => fault?.details.find((each) => each.path === path)?.message;

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (wrong !== undefined || busy) return;
    setBusy(true);
    setFault(undefined);
    const registration: Registration = {
      appVersion: { name: version },
      ...(id === '' ? {} : { endpointId: id }),
      ...(token === '' ? {} : { endpointToken: token }),
    };
    const wanted = JSON.stringify([registration, metadata]);
    if (open.current?.wanted !== wanted) open.current = { wanted, key: randomKey() };
    const answer = await registerEndpoint(api, registration, metadata, open.current.key);
    const isKnown = answer.ok || (answer.fault.status >= 400 && answer.fault.status < 500);
    if (isKnown) open.current = undefined;
    setBusy(false);
    if (!answer.ok) return setFault(answer.fault);
    say(`${answer.value.endpointId} is registered`);
    setRegistered(answer.value);
    onRegistered();
  }

  if (registered !== undefined) return <RegisteredDialog registered={registered} onClose={onClose} />;
  return (
    <Dialog title="Register an endpoint" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <SelectField
          label="Application version"
          value={version}
          choices={versions.map((each) => ({
            value: each.version,
            text: `${each.version} (${each.application})`,
          }))}
          onChoose={setVersion}
        />
        <TextField
          label="Endpoint id"
          hint="Letters, digits, . _ ~ -; left empty, one is made."
          value={id}
          onText={setId}
          error={at('/endpointId')}
          maxLength={256}
          code
        />
        <TextField
          label="Token"
          hint="What the device shows to be let in; left empty, one is made."
          value={token}
          onText={setToken}
          error={at('/endpointToken')}
          code
        />
        <Field label="Metadata" hint="A JSON object." error={wrong}>
          {(ids) => (
            <textarea
              {...ids}
              class="code"
              rows={6}
              spellcheck={false}
              value={metadata}
              onInput={(event) => setMetadata(event.currentTarget.value)}
            />
          )}
        </Field>
        {fault !== undefined && <FaultNote fault={fault} />}
        <div class="actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button button-primary"
            disabled={busy || wrong !== undefined || version === ''}
          >
            {busy ? 'Registering …' : 'Register'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RegisteredDialog({ registered, onClose }: { registered: Registered; onClose: () => void }) {
  const { endpointId, token } = registered;
  return (
    <Dialog title="Registered" onClose={onClose}>
      <p>
        <Text>{endpointId}</Text> is registered. Its token is shown this once only:
      </p>
      <p class="token">
        <code class="data">{token}</code> <CopyButton text={token} what="the token" />
      </p>
      <div class="actions">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
        <a class="button button-primary" href={routeHref(['endpoints', endpointId])} onClick={onClose}>
          Open the endpoint
        </a>
      </div>
    </Dialog>
  );
}

function metadataFault(text: string): string | undefined {
  const fault = jsonFault(text);
  if (fault !== undefined) return fault.message;
  const value = JSON.parse(text) as JsonValue;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? undefined : 'Metadata is an object, such as {"city": "Kyiv"}.';
}

/** 128 random bits. (`crypto.randomUUID` is there on secure origins only.) */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join('-');
}
