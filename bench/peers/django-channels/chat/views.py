from django.db.models import Q
from rest_framework import generics, pagination

from .models import Chat, Message
from .serializers import ChatListSerializer, ChatSerializer, MessageSerializer


class ByPage(pagination.PageNumberPagination):
    page_size = 20


class ByCursor(pagination.CursorPagination):
    page_size = 20
    ordering = "-createdAt"


class Chats(generics.ListCreateAPIView):
    """The viewer's chats, 20 to a page; the people of a page come with it, in one query."""

    pagination_class = ByPage

    def get_serializer_class(self):
        return ChatListSerializer if self.request.method == "GET" else ChatSerializer

    def get_queryset(self):
        viewer = self.request.user
        chats = Chat.objects.filter(Q(fromUser=viewer) | Q(toUser=viewer))
        return chats.select_related("fromUser", "toUser").order_by("-createdAt")

    def perform_create(self, serializer):
        serializer.save(fromUser=self.request.user)


class Messages(generics.ListAPIView):
    """Newest first, 20 to a page, numbered pages (DRF's usual paginator)."""

    serializer_class = MessageSerializer
    pagination_class = ByPage

    def get_queryset(self):
        return Message.objects.filter(refChat_id=self.kwargs["chat_id"]).order_by("-createdAt")


class MessagesByCursor(Messages):
    """The same list with DRF's cursor paginator, which needs no COUNT and no OFFSET."""

    pagination_class = ByCursor
