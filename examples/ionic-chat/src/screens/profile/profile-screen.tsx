import { IonContent, IonIcon, IonItem, IonLabel, IonList, IonPage, IonSkeletonText } from '@ionic/react';
import { createOutline, keyOutline, logOutOutline, phonePortraitOutline, trashOutline } from 'ionicons/icons';
import { useState } from 'react';
import { PersonAvatar } from '../../components/avatar.tsx';
import { ErrorState } from '../../components/error-state.tsx';
import { LargeTitle, PageHeader } from '../../components/page-header.tsx';
import { fullName } from '../../format/people.ts';
import { useViewer } from '../../hooks/use-viewer.ts';
import { routes } from '../../routes.ts';
import { AppearanceItem } from './appearance-item.tsx';
import { DeleteAccountModal } from './delete-account-modal.tsx';
import { EditNameModal } from './edit-name-modal.tsx';
import { PasswordModal } from './password-modal.tsx';
import { useSignOut } from './use-sign-out.ts';

export function ProfileScreen() {
  const { viewer, error, refetch } = useViewer();
  const [open, setOpen] = useState<'none' | 'name' | 'password' | 'delete'>('none');
  const close = () => setOpen('none');
  const signOut = useSignOut();
  return (
    <IonPage>
      <PageHeader title="Profile" />
      <IonContent fullscreen className="grouped">
        <LargeTitle title="Profile" />
        {viewer ? (
          <div className="profile-head">
            <PersonAvatar size="large" user={viewer} />
            <h2>
              <bdi>{fullName(viewer)}</bdi>
            </h2>
            <p>{viewer.email}</p>
          </div>
        ) : error === undefined ? (
          <HeadSkeleton />
        ) : (
          <ErrorState
            title="Your profile could not be loaded"
            error={error}
            onRetry={() => void refetch().catch(() => {})}
          />
        )}
        <IonList inset aria-label="Account">
          <IonItem button detail disabled={!viewer} onClick={() => setOpen('name')}>
            <IonIcon slot="start" icon={createOutline} aria-hidden="true" />
            <IonLabel>Edit name</IonLabel>
          </IonItem>
          <IonItem button detail onClick={() => setOpen('password')}>
            <IonIcon slot="start" icon={keyOutline} aria-hidden="true" />
            <IonLabel>Change password</IonLabel>
          </IonItem>
          <IonItem button detail routerLink={routes.devices}>
            <IonIcon slot="start" icon={phonePortraitOutline} aria-hidden="true" />
            <IonLabel>Devices</IonLabel>
          </IonItem>
        </IonList>
        <IonList inset aria-label="App">
          <AppearanceItem />
        </IonList>
        <IonList inset aria-label="Leave">
          <IonItem button detail={false} onClick={signOut}>
            <IonIcon slot="start" icon={logOutOutline} color="primary" aria-hidden="true" />
            <IonLabel color="primary">Sign out</IonLabel>
          </IonItem>
          <IonItem button detail={false} onClick={() => setOpen('delete')}>
            <IonIcon slot="start" icon={trashOutline} color="danger" aria-hidden="true" />
            <IonLabel color="danger">Delete account</IonLabel>
          </IonItem>
        </IonList>
      </IonContent>
      {viewer && <EditNameModal viewer={viewer} isOpen={open === 'name'} onClose={close} />}
      <PasswordModal isOpen={open === 'password'} onClose={close} />
      <DeleteAccountModal isOpen={open === 'delete'} onClose={close} />
    </IonPage>
  );
}

/** As high as what comes: whoever taps what is below it meets what they saw. */
function HeadSkeleton() {
  return (
    <div className="profile-head" role="status" aria-label="Loading your profile">
      <PersonAvatar size="large" user={undefined} />
      <h2 aria-hidden="true">
        <IonSkeletonText animated />
      </h2>
      <p aria-hidden="true">
        <IonSkeletonText animated />
      </p>
    </div>
  );
}
