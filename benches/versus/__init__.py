"""What versus_llama_server.py is made of."""
