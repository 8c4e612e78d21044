import {
  IonContent,
  IonIcon,
  IonItem,
  IonLabel,
  IonList,
  IonListHeader,
  IonPage,
  IonToolbar,
  useIonViewDidEnter,
} from '@ionic/react';
import { peopleCircle } from 'ionicons/icons';
import { useRef, useState } from 'react';
import { LargeTitle, PageHeader } from '../../components/page-header.tsx';
import { SearchField } from '../../components/search-field.tsx';
import { useStartChat } from '../../hooks/use-start-chat.ts';
import { hasFinePointer, isIosLook } from '../../platform.ts';
import { NewGroupModal } from './new-group-modal.tsx';
import { PeopleList } from './people-list.tsx';

export function PeopleScreen() {
  const [search, setSearch] = useState('');
  const [isGroupOpen, setGroupOpen] = useState(false);
  const searchbar = useRef<HTMLIonSearchbarElement>(null);
  const startChat = useStartChat();

  // On a phone the keyboard would hide the people that one most likely looks for.
  useIonViewDidEnter(() => {
    if (hasFinePointer()) void searchbar.current?.setFocus();
  });

  // On iOS a search stands under the large title and scrolls away with it.
  const isIos = isIosLook();
  const searchToolbar = (
    <IonToolbar>
      <SearchField label="Search people" value={search} onChange={setSearch} searchbarRef={searchbar} />
    </IonToolbar>
  );

  return (
    <IonPage>
      <PageHeader title="People">{!isIos && searchToolbar}</PageHeader>
      <IonContent fullscreen>
        <LargeTitle title="People">{isIos && searchToolbar}</LargeTitle>
        {search.trim() === '' && (
          <IonList>
            <IonItem button detail onClick={() => setGroupOpen(true)}>
              <IonIcon slot="start" icon={peopleCircle} color="primary" size="large" aria-hidden="true" />
              <IonLabel color="primary">New group</IonLabel>
            </IonItem>
          </IonList>
        )}
        <PeopleList search={search} header={<IonListHeader>People you know</IonListHeader>} onChoose={startChat} />
      </IonContent>
      <NewGroupModal isOpen={isGroupOpen} onClose={() => setGroupOpen(false)} />
    </IonPage>
  );
}
