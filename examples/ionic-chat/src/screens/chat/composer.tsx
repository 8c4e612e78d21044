import { IonButton, IonIcon, IonTextarea, IonToolbar } from '@ionic/react';
import { checkmark, close, locationOutline, send } from 'ionicons/icons';
import { useEffect, useRef } from 'react';
import type { KeyboardEvent } from 'react';
import { flushSync } from 'react-dom';
import { hasFinePointer } from '../../platform.ts';
import type { Row } from './rows.ts';
import { useDraft } from './use-draft.ts';
import { useShareLocation } from './use-share-location.ts';

interface ComposerProps {
  chatId: string;
  /** The message that is being changed; null: a new one is written. */
  editing: Row | null;
  onEdited: () => void;
}

const MAX_LENGTH = 8000;

export function Composer({ chatId, editing, onEdited }: ComposerProps) {
  const field = useRef<HTMLIonTextareaElement>(null);
  const draft = useDraft(chatId, editing, onEdited);
  const location = useShareLocation(chatId);

  useEffect(() => {
    if (editing) void field.current?.setFocus();
  }, [editing]);

  function submit(): void {
    void draft.submit();
    // The keyboard of a phone stays where it is.
    void field.current?.setFocus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    // While an input method composes, Enter chooses a word.
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape' && editing) draft.close();
    if (event.key !== 'Enter' || event.shiftKey || !hasFinePointer()) return;
    event.preventDefault();
    submit();
  }

  return (
    <IonToolbar className="composer">
      {editing && (
        <div className="composer-editing">
          <p>
            <strong>Editing</strong> <span dir="auto">{editing.body}</span>
          </p>
          <IonButton fill="clear" size="small" aria-label="Cancel editing" onClick={draft.close}>
            <IonIcon slot="icon-only" icon={close} aria-hidden="true" />
          </IonButton>
        </div>
      )}
      <div className="composer-line">
        {!editing && (
          <IonButton fill="clear" aria-label="Share location" disabled={location.isBusy} onClick={location.share}>
            <IonIcon slot="icon-only" icon={locationOutline} aria-hidden="true" />
          </IonButton>
        )}
        <IonTextarea
          ref={field}
          aria-label="Message"
          placeholder="Message"
          rows={1}
          autoGrow
          autocapitalize="sentences"
          enterkeyhint={hasFinePointer() ? 'send' : 'enter'}
          maxlength={MAX_LENGTH}
          dir="auto"
          value={draft.text}
          // Before the next key, which may send it: React would take its time with an event that is Ionic's own.
          onIonInput={(event) => flushSync(() => draft.write(event.detail.value ?? ''))}
          onKeyDown={onKeyDown}
        />
        <IonButton
          fill="solid"
          shape="round"
          aria-label={editing ? 'Save' : 'Send'}
          disabled={!draft.canSubmit}
          onClick={submit}
        >
          <IonIcon slot="icon-only" icon={editing ? checkmark : send} aria-hidden="true" />
        </IonButton>
      </div>
    </IonToolbar>
  );
}
