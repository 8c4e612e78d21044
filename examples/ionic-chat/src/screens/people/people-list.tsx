import { IonItem, IonLabel, IonList } from '@ionic/react';
import type { UserFields } from '@parley/client';
import { peopleOutline, searchOutline } from 'ionicons/icons';
import { PersonAvatar } from '../../components/avatar.tsx';
import { EmptyState } from '../../components/empty-state.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { ListSkeleton } from '../../components/list-skeleton.tsx';
import { fullName } from '../../format/people.ts';
import { lastSeen } from '../../format/times.ts';
import { useNow } from '../../hooks/use-now.ts';
import { usePeople } from '../../hooks/use-people.ts';

interface PeopleListProps {
  search: string;
  /** Above those whom one knows, when nobody is searched. */
  header: React.ReactNode;
  onChoose: (userId: string) => void;
}

export function PeopleList({ search, header, onChoose }: PeopleListProps) {
  const { people, error, refetch } = usePeople(search);
  const now = useNow();
  const isSearch = search.trim() !== '';
  if (error !== undefined)
    return (
      <ErrorState title="People could not be searched" error={error} onRetry={() => void refetch().catch(() => {})} />
    );
  if (people === undefined) return <ListSkeleton label="Searching" rows={4} />;
  if (people.length === 0 && isSearch)
    return (
      <EmptyState
        icon={searchOutline}
        title={`Nobody called “${search.trim()}”`}
        text="Names are found by how they begin. An e-mail address must be whole."
      />
    );
  if (people.length === 0)
    return (
      <EmptyState
        icon={peopleOutline}
        title="Find somebody"
        text="Search by name, or by the whole of an e-mail address."
      />
    );
  return (
    <IonList aria-label={isSearch ? 'People found' : 'People you know'}>
      {!isSearch && header}
      {people.map((user) => (
        <PersonItem key={user.id} user={user} now={now} onChoose={onChoose} />
      ))}
    </IonList>
  );
}

function PersonItem({ user, now, onChoose }: { user: UserFields; now: number; onChoose: (userId: string) => void }) {
  return (
    <IonItem button detail={false} onClick={() => onChoose(user.id)}>
      <PersonAvatar slot="start" user={user} showsPresence />
      <IonLabel>
        <h2>
          <bdi>{fullName(user)}</bdi>
        </h2>
        <p>{user.isOnline ? 'Online' : lastSeen(user.lastSeenAt, now)}</p>
      </IonLabel>
    </IonItem>
  );
}
