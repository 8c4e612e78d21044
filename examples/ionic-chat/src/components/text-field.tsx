import { IonInput, IonInputPasswordToggle } from '@ionic/react';
import { useEffect, useRef } from 'react';
import { flushSync } from 'react-dom';

interface TextFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  error?: string;
  hint?: string;
  type?: 'text' | 'email' | 'password';
  autocomplete?: React.ComponentProps<typeof IonInput>['autocomplete'];
  maxlength?: number;
  /** Focused when the page has arrived. */
  isFirst?: boolean;
}

/** A labelled field that says underneath what is wrong with it. */
export function TextField({ value, onChange, error, hint, type = 'text', isFirst, ...props }: TextFieldProps) {
  const ref = useRef<HTMLIonInputElement>(null);
  useEffect(() => {
    if (error !== undefined) void ref.current?.setFocus();
  }, [error]);
  return (
    <IonInput
      {...props}
      ref={ref}
      className={error === undefined ? 'text-field' : 'text-field ion-invalid ion-touched'}
      type={type}
      value={value}
      fill="outline"
      labelPlacement="stacked"
      required
      autofocus={isFirst}
      autocapitalize={type === 'text' ? 'words' : 'off'}
      helperText={hint}
      errorText={error}
      // Before the next key, which may be Enter: React would take its time with an event that is Ionic's own.
      onIonInput={(event) => flushSync(() => onChange(event.detail.value ?? ''))}
    >
      {type === 'password' && <IonInputPasswordToggle slot="end" />}
    </IonInput>
  );
}
