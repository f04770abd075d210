import { useEffect, useRef, useState } from 'preact/hooks';
import type { Fault, JsonValue, Metadata } from '../api-types.js';
import { useDeps } from '../deps.js';
import { cut, formatJson } from '../format.js';
import { changedKeys, saveKey, valueAt } from '../metadata-edit.js';
import { CopyButton, Empty, Text } from './basics.js';
import { Confirm } from './dialog.js';
import { FaultNote } from './fault-note.js';
import { KeyEditor } from './key-editor.js';

interface MetadataTableProps {
  endpointId: string;
  metadata: Metadata;
  etag: string;
  onChanged: () => void;
}

/** What is being edited, as it was when that began. */
interface Editing {
  name: string | undefined;
  seen: JsonValue | undefined;
  etag: string;
}

const VALUE_CHARACTERS = 1000;

export function MetadataTable({ endpointId, metadata, etag, onChanged }: MetadataTableProps) {
  const [editing, setEditing] = useState<Editing>();
  const [removing, setRemoving] = useState<Editing & { name: string }>();
  const [raw, setRaw] = useState(false);
  const fresh = useFresh(metadata);
  const names = Object.keys(metadata).sort();
  const section = useRef<HTMLElement>(null);
  /** whose button gets the focus back; `''`: that which adds one */
  const left = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (editing !== undefined || removing !== undefined || left.current === undefined) return;
    const buttons = [...(section.current?.querySelectorAll<HTMLElement>('[data-key]') ?? [])];
    const { current } = left;
    left.current = undefined;
    (buttons.find((each) => each.dataset['key'] === current) ?? buttons[0])?.focus();
  }, [editing, removing]);
  const done = (): void => {
    left.current = editing?.name ?? '';
    setEditing(undefined);
    setRemoving(undefined);
    onChanged();
  };
  const begin = (name: string): Editing & { name: string } => ({ name, seen: valueAt(metadata, name), etag });
  // one that went while it is edited must not take its editor with it
  const shown =
    editing?.name === undefined || names.includes(editing.name) ? names : [...names, editing.name].sort();

  return (
    <section class="panel" aria-label="Metadata" ref={section}>
      <header class="panel-head">
        <h2>Metadata</h2>
        <div class="panel-tools">
          <button
            type="button"
            class="button button-small"
            aria-pressed={raw}
            onClick={() => setRaw((before) => !before)}
          >
            JSON
          </button>
          {raw && <CopyButton text={formatJson(metadata)} what="the metadata" />}
          <button
            type="button"
            class="button button-small button-primary"
            data-key=""
            disabled={editing !== undefined}
            onClick={() => {
              setRaw(false);
              setEditing({ name: undefined, seen: undefined, etag });
            }}
          >
            Add a key
          </button>
        </div>
      </header>
      {editing !== undefined && editing.name === undefined && (
        <KeyEditor endpointId={endpointId} {...editing} onDone={done} />
      )}
      {raw ? (
        <pre class="raw code" tabIndex={0} aria-label="Metadata as JSON">
          {formatJson(metadata)}
        </pre>
      ) : shown.length === 0 ? (
        editing === undefined && (
          <Empty title="No metadata yet.">
            <p>Devices and services write it over REST or NATS; “Add a key” writes it here.</p>
          </Empty>
        )
      ) : (
        <div class="table-frame">
          <table class="metadata">
            <caption class="visually-hidden">Metadata by key</caption>
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">Value</th>
                <th scope="col">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((name) =>
                editing?.name === name ? (
                  <tr key={name}>
                    <th scope="row" class="id">
                      <Text>{name}</Text>
                    </th>
                    <td colSpan={2}>
                      <KeyEditor endpointId={endpointId} {...editing} onDone={done} />
                    </td>
                  </tr>
                ) : (
                  <tr key={name} class={fresh.has(name) ? 'fresh' : undefined}>
                    <th scope="row" class="id">
                      <Text>{name}</Text>
                    </th>
                    <td class="value">
                      <Text>{cut(JSON.stringify(metadata[name]), VALUE_CHARACTERS)}</Text>
                    </td>
                    <td class="row-actions">
                      <button
                        type="button"
                        class="button button-small"
                        aria-label={`Edit ${name}`}
                        data-key={name}
                        disabled={editing !== undefined}
                        onClick={() => setEditing(begin(name))}
                      >
                        Edit
                      </button>
                      <button
                        type="button"
                        class="button button-small"
                        aria-label={`Remove ${name}`}
                        disabled={editing !== undefined}
                        onClick={() => setRemoving(begin(name))}
                      >
                        Remove
                      </button>
                    </td>
                  </tr>
                ),
              )}
            </tbody>
          </table>
        </div>
      )}
      {removing !== undefined && (
        <RemoveKey
          endpointId={endpointId}
          {...removing}
          onDone={done}
          onClose={() => setRemoving(undefined)}
        />
      )}
    </section>
  );
}

interface RemoveKeyProps {
  endpointId: string;
  name: string;
  seen: JsonValue | undefined;
  etag: string;
  onDone: () => void;
  onClose: () => void;
}

function RemoveKey({ endpointId, name, seen, etag, onDone, onClose }: RemoveKeyProps) {
  const { api, say } = useDeps();
  const [state, setState] = useState({ seen, etag, conflict: false });
  const [fault, setFault] = useState<Fault>();
  const [busy, setBusy] = useState(false);

  async function remove(): Promise<void> {
    setBusy(true);
    setFault(undefined);
    const edit = { key: name, seen: state.seen, wanted: undefined };
    const outcome = await saveKey(api, endpointId, edit, state.etag);
    setBusy(false);
    if (outcome.kind === 'fault') setFault(outcome.fault);
    else if (outcome.kind === 'conflict') setState({ seen: outcome.now, etag: outcome.etag, conflict: true });
    else {
      say(`${name} is removed`);
      onDone();
    }
  }

  const value = cut(JSON.stringify(state.seen ?? null), VALUE_CHARACTERS);
  return (
    <Confirm
      title="Remove the key?"
      action="Remove"
      busy={busy}
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      {state.conflict && (
        <p class="note note-warn" role="alert">
          Somebody else changed it meanwhile (412). It was not removed; its value is now:
        </p>
      )}
      <p>
        <Text>{name}</Text>: <Text>{value}</Text>
      </p>
      {fault !== undefined && <FaultNote fault={fault} />}
    </Confirm>
  );
}

/** Keys that changed with the last reading. */
function useFresh(metadata: Metadata): ReadonlySet<string> {
  const before = useRef(metadata);
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    if (before.current === metadata) return;
    setFresh(new Set(changedKeys(before.current, metadata)));
    before.current = metadata;
    const timer = setTimeout(() => setFresh(new Set()), 2000);
    return () => clearTimeout(timer);
  }, [metadata]);
  return fresh;
}
