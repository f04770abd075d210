import { useState } from 'preact/hooks';
import type { Fault, JsonValue } from '../api-types.js';
import { useDeps } from '../deps.js';
import { formatJson, formatValue } from '../format.js';
import { jsonFault } from '../json-fault.js';
import { saveKey } from '../metadata-edit.js';
import { Text } from './basics.js';
import { FaultNote } from './fault-note.js';
import { Field, TextField } from './field.js';

interface KeyEditorProps {
  endpointId: string;
  /** `undefined`: a new one */
  name: string | undefined;
  /** the value and the ETag as they were when the editing began; what comes later is not what its author saw */
  seen: JsonValue | undefined;
  etag: string;
  onDone: () => void;
}

interface Conflict {
  now: JsonValue | undefined;
  etag: string;
}

const VALUE_CHARACTERS = 2000;

/** Adds a key, or changes its value. Never over a change that its author has not seen. */
export function KeyEditor({ endpointId, name, seen, etag, onDone }: KeyEditorProps) {
  const { api, say } = useDeps();
  const [key, setKey] = useState(name ?? '');
  const first = seen === undefined ? '' : formatJson(seen);
  const [draft, setDraft] = useState(first);
  const [fault, setFault] = useState<Fault>();
  const [conflict, setConflict] = useState<Conflict>();
  const [busy, setBusy] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const wrong = draft === '' ? undefined : jsonFault(draft);

  async function save(over?: Conflict): Promise<void> {
    if (busy || draft === '' || key === '' || wrong !== undefined) return;
    setBusy(true);
    setFault(undefined);
    setConflict(undefined);
    const edit = { key, seen: over === undefined ? seen : over.now, wanted: draft };
    const outcome = await saveKey(api, endpointId, edit, over?.etag ?? etag);
    setBusy(false);
    if (outcome.kind === 'fault') setFault(outcome.fault);
    else if (outcome.kind === 'conflict') setConflict(outcome);
    else {
      say(`${key} is saved`);
      onDone();
    }
  }

  return (
    <form
      class="key-editor"
      aria-label={name === undefined ? 'Add a key' : `Edit ${name}`}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && !busy) {
          if (leaving || (draft === first && key === (name ?? ''))) onDone();
          else setLeaving(true);
        }
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void save();
      }}
    >
      {name === undefined && (
        <TextField label="Key" value={key} onText={setKey} hint="Letters, digits and _." code required />
      )}
      <Field
        label={name === undefined ? 'Value' : `Value of ${name}`}
        hint='Any JSON: 21.5, "Kyiv", true, null, {…}, […]. Ctrl+Enter saves.'
        error={wrong?.message}
      >
        {(ids) => (
          <textarea
            {...ids}
            class="code"
            rows={Math.min(Math.max(draft.split('\n').length, 1), 12)}
            spellcheck={false}
            value={draft}
            ref={(area) => {
              if (area !== null && name !== undefined && area.dataset['seen'] === undefined) {
                area.dataset['seen'] = '';
                area.focus();
              }
            }}
            onInput={(event) => {
              setDraft(event.currentTarget.value);
              setLeaving(false);
            }}
          />
        )}
      </Field>
      {wrong !== undefined && !/^\s*["{[]/.test(draft) && (
        <button type="button" class="button button-small" onClick={() => setDraft(JSON.stringify(draft))}>
          Write it as text, in quotes
        </button>
      )}
      {fault !== undefined && <FaultNote fault={fault} />}
      {leaving && conflict === undefined && (
        <div class="note note-warn" role="alert">
          <p>What you wrote is not saved. Escape again discards it; so does “Cancel”.</p>
        </div>
      )}
      {conflict !== undefined && (
        <div class="note note-warn" role="alert">
          <p>
            Somebody else changed <Text>{key}</Text> meanwhile (412). Nothing was overwritten.
          </p>
          <dl class="conflict">
            <dt>You saw</dt>
            <dd>
              <ShownValue value={seen} />
            </dd>
            <dt>Now it is</dt>
            <dd>
              <ShownValue value={conflict.now} />
            </dd>
            <dt>You want</dt>
            <dd>
              <Text>{draft}</Text>
            </dd>
          </dl>
          <div class="actions">
            <button type="button" class="button" onClick={onDone}>
              Keep theirs
            </button>
            <button type="button" class="button button-danger" onClick={() => void save(conflict)}>
              Save mine over it
            </button>
          </div>
        </div>
      )}
      {conflict === undefined && (
        <div class="actions">
          <button type="button" class="button" onClick={onDone}>
            Cancel
          </button>
          <button
            type="submit"
            class="button button-primary"
            disabled={busy || wrong !== undefined || draft === '' || key === ''}
          >
            {busy ? 'Saving …' : 'Save'}
          </button>
        </div>
      )}
    </form>
  );
}

function ShownValue({ value }: { value: JsonValue | undefined }) {
  return value === undefined ? (
    <span class="muted">no such key</span>
  ) : (
    <Text>{formatValue(value, VALUE_CHARACTERS)}</Text>
  );
}
