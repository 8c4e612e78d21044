import { IonSearchbar } from '@ionic/react';
import { useEffect, useRef } from 'react';

interface SearchFieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Sees the element, to focus it. */
  searchbarRef?: React.RefObject<HTMLIonSearchbarElement | null>;
}

/** Ionic names the field inside every search bar "search text"; here each says what it searches. */
export function SearchField({ label, value, onChange, searchbarRef }: SearchFieldProps) {
  const own = useRef<HTMLIonSearchbarElement>(null);
  const ref = searchbarRef ?? own;
  useEffect(() => {
    void ref.current?.getInputElement().then((input) => input.setAttribute('aria-label', label));
  }, [ref, label]);
  return (
    <IonSearchbar
      ref={ref}
      value={value}
      placeholder={label}
      debounce={250}
      enterkeyhint="search"
      onIonInput={(event) => onChange(event.detail.value ?? '')}
    />
  );
}
