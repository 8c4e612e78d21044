const LINK = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}])/;
const ONLY_EMOJI = /^\p{RGI_Emoji}{1,3}$/v;

/** Plain text, with addresses that can be followed. Each message is written from its own side. */
export function MessageText({ text }: { text: string }) {
  if (ONLY_EMOJI.test(text)) return <p className="bubble-text bubble-emoji">{text}</p>;
  return (
    <p className="bubble-text" dir="auto">
      {/* Split at a group: every second part is a link. */}
      {text.split(LINK).map((part, index) =>
        index % 2 === 0 ? (
          part
        ) : (
          <a key={index} href={part} target="_blank" rel="noreferrer noopener">
            {part}
          </a>
        ),
      )}
    </p>
  );
}
