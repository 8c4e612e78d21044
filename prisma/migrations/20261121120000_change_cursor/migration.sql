-- AlterTable
ALTER TABLE "chat" ADD COLUMN     "changed_in" BIGINT NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "chat_member" ADD COLUMN     "changed_in" BIGINT NOT NULL DEFAULT 0;

-- Written by hand: no statement can forget to say in which transaction a row changed.
CREATE FUNCTION parley_stamp_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed_in := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END
$$;

CREATE TRIGGER chat_stamp_change BEFORE INSERT OR UPDATE ON "chat"
  FOR EACH ROW EXECUTE FUNCTION parley_stamp_change();

CREATE TRIGGER chat_member_stamp_change BEFORE INSERT OR UPDATE ON "chat_member"
  FOR EACH ROW EXECUTE FUNCTION parley_stamp_change();
