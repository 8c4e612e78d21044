-- By hand: an expression in place of three columns. Wherever the planner expects one row of an author in a chat, it takes
-- the index of author, chat and seq for as good as that of client ids, and reads all that the author wrote there. No other
-- index knows the expression. "C", so that text is compared as bytes.
CREATE UNIQUE INDEX "message_sent_key" ON "message" (("chat_id"::text || "author_id"::text || "client_id") COLLATE "C");

-- DropIndex
DROP INDEX "message_chat_id_author_id_client_id_key";
