from django.urls import path

from . import views

urlpatterns = [
    path("chats/", views.Chats.as_view()),
    path("chats/<uuid:chat_id>/messages/", views.Messages.as_view()),
    path("chats/<uuid:chat_id>/messages/cursor/", views.MessagesByCursor.as_view()),
]
