import { IonSkeletonText } from '@ionic/react';

const WIDTHS = [58, 34, 71, 46, 62, 28, 66, 52];

export function ChatSkeleton() {
  return (
    <div className="chat-skeleton" role="status" aria-label="Loading messages">
      {WIDTHS.map((width, index) => (
        <IonSkeletonText
          key={width}
          animated
          className={index % 3 === 2 ? 'chat-skeleton-own' : ''}
          style={{ width: `${width}%` }}
        />
      ))}
    </div>
  );
}
