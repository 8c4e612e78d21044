import { IonCheckbox, IonItem, IonList } from '@ionic/react';
import type { UserFields } from '@parley/client';
import { fullName } from '../format/people.ts';
import { usePeople } from '../hooks/use-people.ts';
import { wordsFor } from '../words.ts';
import { toParleyError } from '@parley/client';
import { PersonAvatar } from './avatar.tsx';
import { FormError } from './form-error.tsx';
import { SearchField } from './search-field.tsx';

interface PersonPickerProps {
  chosen: readonly UserFields[];
  onChange: (chosen: UserFields[]) => void;
  /** Members already. */
  without?: ReadonlySet<string>;
  search: string;
  onSearch: (search: string) => void;
}

/** Ticks people, found or known; who is chosen stays at the top while the next one is searched. */
export function PersonPicker({ chosen, onChange, without, search, onSearch }: PersonPickerProps) {
  const { people = [], error } = usePeople(search);
  const ids = new Set(chosen.map(({ id }) => id));
  const others = people.filter(({ id }) => !ids.has(id) && !without?.has(id));
  const toggle = (user: UserFields) =>
    onChange(ids.has(user.id) ? chosen.filter(({ id }) => id !== user.id) : [...chosen, user]);
  return (
    <>
      <SearchField label="Search people to add" value={search} onChange={onSearch} />
      <FormError text={error === undefined ? undefined : wordsFor(toParleyError(error))} />
      <IonList aria-label="People to add">
        {[...chosen, ...others].map((user) => (
          <IonItem key={user.id}>
            <PersonAvatar slot="start" user={user} />
            <IonCheckbox checked={ids.has(user.id)} onIonChange={() => toggle(user)}>
              {fullName(user)}
            </IonCheckbox>
          </IonItem>
        ))}
      </IonList>
      {chosen.length === 0 && others.length === 0 && (
        <p className="hint">
          {search.trim() === '' ? 'Search for somebody by name.' : `Nobody to add called “${search.trim()}”.`}
        </p>
      )}
    </>
  );
}
