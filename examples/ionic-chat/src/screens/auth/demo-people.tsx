import { IonButton } from '@ionic/react';
import { FormError } from '../../components/form-error.tsx';
import { DEMO_PEOPLE } from '../../demo.ts';
import type { DemoPerson } from '../../demo.ts';
import { useSubmit } from '../../hooks/use-submit.ts';
import { parley } from '../../parley.ts';

/** One tap to be somebody of the story. */
export function DemoPeople() {
  return (
    <section className="demo-people" aria-labelledby="demo-people-title">
      <h2 id="demo-people-title">Look around as somebody</h2>
      <p>Each tab of this browser is a phone of its own: open a second one and be somebody else there.</p>
      {DEMO_PEOPLE.map((person) => (
        <DemoPersonButton key={person.email} person={person} />
      ))}
    </section>
  );
}

function DemoPersonButton({ person: { name, email, password } }: { person: DemoPerson }) {
  const form = useSubmit(() => parley.session.signIn({ email, password }));
  return (
    <>
      <IonButton fill="outline" expand="block" disabled={form.isBusy} onClick={() => void form.submit()}>
        Continue as {name}
      </IonButton>
      <FormError text={form.errorBeside()} />
    </>
  );
}
