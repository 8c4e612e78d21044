import { readPhoto, readPlace } from '../../format/attachments.ts';
import { MessageText } from './message-text.tsx';
import { Photo } from './photo.tsx';
import { PlaceCard } from './place-card.tsx';
import type { Row } from './rows.ts';

/** What was said. An attachment that is not understood leaves the words that came with it. */
export function BubbleContent({ row }: { row: Row }) {
  if (row.isDeleted)
    return (
      <p className="bubble-text bubble-tombstone">
        {row.isOwn ? 'You deleted this message' : 'This message was deleted'}
      </p>
    );
  const place = row.type === 'LOCATION' ? readPlace(row.extraData) : null;
  const photo = row.type === 'PHOTO' ? readPhoto(row.extraData) : null;
  return (
    <>
      {place !== null && <PlaceCard place={place} />}
      {photo !== null && <Photo photo={photo} alt={row.body} />}
      <MessageText text={row.body} />
    </>
  );
}
