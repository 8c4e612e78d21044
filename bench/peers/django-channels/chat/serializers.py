from rest_framework import serializers

from .models import Chat, Message, User


class ChatSerializer(serializers.ModelSerializer):
    class Meta:
        model = Chat
        fields = ["id", "fromUser", "toUser", "createdAt"]
        read_only_fields = ["fromUser"]


class MessageSerializer(serializers.ModelSerializer):
    class Meta:
        model = Message
        fields = [
            "id", "refChat", "author", "message", "type", "extraData", "isRead", "createdAt",
        ]


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "name"]


class ChatListSerializer(serializers.ModelSerializer):
    """A chat as a list shows it: its people, its last message, what is unread of it."""

    fromUser = UserSerializer()
    toUser = UserSerializer()
    lastMessage = serializers.SerializerMethodField()
    unreadCount = serializers.SerializerMethodField()

    class Meta:
        model = Chat
        fields = ["id", "fromUser", "toUser", "createdAt", "lastMessage", "unreadCount"]

    def get_lastMessage(self, chat):
        message = chat.messages.order_by("-createdAt").first()
        return MessageSerializer(message).data if message else None

    def get_unreadCount(self, chat):
        viewer = self.context["request"].user
        return chat.messages.filter(isRead=False).exclude(author=viewer).count()
