"""Creates users u0..uN-1, one chat between the first two, optional history; prints JSON."""
import json

from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand
from django.db import connection
from rest_framework_simplejwt.tokens import RefreshToken

from chat.models import Chat, User

PASSWORD = "correct horse battery staple"


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--users", type=int, default=10)
        parser.add_argument("--history", type=int, default=0)
        parser.add_argument("--chats", type=int, default=0)

    def handle(self, users, history, chats, **options):
        # One hash shared by all users: verifying it costs the same, creating it N times
        # would only slow the seeding.
        hashed = make_password(PASSWORD)
        rows = User.objects.bulk_create(
            [User(email=f"u{i}@peer.test", name=f"u{i}", password=hashed) for i in range(max(2, users))],
            batch_size=1000,
        )
        chat = Chat.objects.create(fromUser=rows[0], toUser=rows[1])
        out = {
            "chatId": str(chat.pk),
            "password": PASSWORD,
            "passwordHash": "$".join(hashed.split("$")[:2]),
            "users": [
                {"id": str(u.pk), "email": u.email, "access": str(RefreshToken.for_user(u).access_token)}
                for u in rows
            ],
        }
        if history:
            old = Chat.objects.create(fromUser=rows[0], toUser=rows[1])
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    INSERT INTO chat_message
                        (id, "refChat_id", author_id, message, type, "extraData", "isRead", "createdAt")
                    SELECT gen_random_uuid(), %s, CASE WHEN i %% 2 = 0 THEN %s ELSE %s END,
                           'message ' || i || ' ' || repeat('x', 80), 0, '', false,
                           now() - (%s - i) * interval '1 second'
                    FROM generate_series(1, %s) AS i
                    """,
                    [old.pk, rows[0].pk, rows[1].pk, history, history],
                )
                cursor.execute("VACUUM ANALYZE chat_message")
            out["historyChatId"] = str(old.pk)
            out["history"] = history
        if chats:
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    WITH new AS (
                        INSERT INTO chat_chat (id, "fromUser_id", "toUser_id", "createdAt")
                        SELECT gen_random_uuid(), %s, %s, now() FROM generate_series(1, %s) RETURNING id
                    )
                    INSERT INTO chat_message
                        (id, "refChat_id", author_id, message, type, "extraData", "isRead", "createdAt")
                    SELECT gen_random_uuid(), new.id, %s, 'message ' || i || ' ' || repeat('x', 80), 0, '', false,
                           now() - (20 - i) * interval '1 second'
                    FROM new, generate_series(1, 20) AS i
                    """,
                    [rows[0].pk, rows[1].pk, chats, rows[1].pk],
                )
                cursor.execute("VACUUM ANALYZE")
        self.stdout.write(json.dumps(out))
