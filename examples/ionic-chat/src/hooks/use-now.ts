import { useEffect, useState } from 'react';

/** The time, told again each minute: "5 min ago" and "Yesterday" must not stand still. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 60_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
