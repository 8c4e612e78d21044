import { IonIcon } from '@ionic/react';
import { location } from 'ionicons/icons';
import { coordinates, mapAddress } from '../../format/attachments.ts';
import type { Place } from '../../format/attachments.ts';

/** The map opens elsewhere: this app loads nothing from anybody else by itself. */
export function PlaceCard({ place }: { place: Place }) {
  return (
    <a className="place-card" href={mapAddress(place)} target="_blank" rel="noreferrer noopener">
      <IonIcon icon={location} aria-hidden="true" />
      <span>
        <strong>Open in map</strong>
        <span>{coordinates(place)}</span>
      </span>
    </a>
  );
}
