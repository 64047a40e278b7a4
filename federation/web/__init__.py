"""The pages of a node: server-rendered views of the use cases of ``federation.service``, for people in a browser."""
