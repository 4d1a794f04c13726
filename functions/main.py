"""What the platform calls: one function for each topic, `receive` for webhooks, `operate` for people. All else is a package."""

import flask
import functions_framework

from downwind import entry


@functions_framework.http
def on_push(request: flask.Request) -> entry.Answer:
    return entry.on_message("push", request)


@functions_framework.http
def on_build(request: flask.Request) -> entry.Answer:
    return entry.on_message("build", request)


@functions_framework.http
def on_image(request: flask.Request) -> entry.Answer:
    return entry.on_message("image", request)


@functions_framework.http
def on_request(request: flask.Request) -> entry.Answer:
    return entry.on_message("request", request)


@functions_framework.http
def on_execution(request: flask.Request) -> entry.Answer:
    return entry.on_message("execution", request)


@functions_framework.http
def on_tick(request: flask.Request) -> entry.Answer:
    return entry.on_tick(request)


@functions_framework.http
def receive(request: flask.Request) -> entry.Answer:
    return entry.receive(request)


@functions_framework.http
def operate(request: flask.Request) -> entry.JsonAnswer:
    return entry.operate(request)
