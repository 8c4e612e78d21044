import { IonIcon } from '@ionic/react';
import { imageOutline } from 'ionicons/icons';
import { useState } from 'react';
import type { Photo as PhotoData } from '../../format/attachments.ts';

const SQUARE = { width: 1, height: 1 };

/** Its place is kept before it comes, so that the messages around it do not move. */
export function Photo({ photo, alt }: { photo: PhotoData; alt: string }) {
  const [hasFailed, setFailed] = useState(false);
  const { width, height } = photo.size ?? SQUARE;
  return (
    <div className="photo" style={{ aspectRatio: `${width} / ${height}` }}>
      {hasFailed ? (
        <p>
          <IonIcon icon={imageOutline} aria-hidden="true" />
          This photo cannot be loaded
        </p>
      ) : (
        <a href={photo.url} target="_blank" rel="noreferrer noopener">
          <img src={photo.url} alt={alt} loading="lazy" onError={() => setFailed(true)} />
        </a>
      )}
    </div>
  );
}
