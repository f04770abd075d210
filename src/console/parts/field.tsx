import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

export interface FieldIds {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean;
}

interface FieldProps {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  children: (ids: FieldIds) => ComponentChildren;
}

/** A label, its control, a hint, and what is wrong with what was entered. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const note = error !== undefined || hint !== undefined ? `${id}-note` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': note, 'aria-invalid': error !== undefined })}
      {error !== undefined ? (
        <p id={note} class="field-error" role="alert">
          {error}
        </p>
      ) : (
        hint !== undefined && (
          <p id={note} class="hint">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

export interface Choice {
  value: string;
  text: string;
}

interface SelectFieldProps {
  label: string;
  value: string;
  choices: readonly Choice[];
  onChoose: (value: string) => void;
  hint?: string | undefined;
  disabled?: boolean;
}

export function SelectField({ label, value, choices, onChoose, hint, disabled = false }: SelectFieldProps) {
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <select
          {...ids}
          disabled={disabled}
          value={value}
          onChange={(event) => onChoose(event.currentTarget.value)}
        >
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface TextFieldProps {
  label: string;
  value: string;
  onText: (value: string) => void;
  hint?: string | undefined;
  error?: string | undefined;
  placeholder?: string;
  type?: 'text' | 'search';
  required?: boolean;
  maxLength?: number;
  /** it is code: no correction, fixed width */
  code?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { label, value, onText, hint, error, placeholder, type = 'text', required, maxLength, code } = props;
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => {
        const all = {
          ...ids,
          value,
          placeholder,
          required,
          maxLength,
          class: code === true ? 'code' : undefined,
          spellcheck: code !== true,
          autocomplete: 'off' as const,
          autocapitalize: code === true ? ('off' as const) : undefined,
          onInput: (event: { currentTarget: HTMLInputElement }) => onText(event.currentTarget.value),
        };
        return type === 'search' ? <input type="search" {...all} /> : <input type="text" {...all} />;
      }}
    </Field>
  );
}
